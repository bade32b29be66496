//! Links the image without libc and start files, as a static PIE.

fn main() {
    if std::env::var_os("CARGO_FEATURE_IMAGE").is_some() {
        // Segments lie so that each can be moved into large pages (large_text.rs of the platform).
        let layout = "-Wl,-z,max-page-size=0x200000";
        for argument in
            ["-nostdlib", "-nostartfiles", "-static-pie", "-Wl,-z,noexecstack", "-Wl,--build-id=none", layout]
        {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
