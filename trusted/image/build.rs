//! Links the image without libc and start files, as a static PIE.

fn main() {
    if std::env::var_os("CARGO_FEATURE_IMAGE").is_some() {
        let arguments = [
            "-nostdlib",
            "-nostartfiles",
            "-static-pie",
            "-Wl,-z,noexecstack",
            "-Wl,--build-id=none",
            // The text starts at a large page, and takes as few as it can (large_text.rs of the platform).
            "-Wl,-z,max-page-size=0x200000",
            "-Wl,-z,separate-loadable-segments",
        ];
        for argument in arguments {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
