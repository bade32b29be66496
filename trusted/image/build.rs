//! Links the image without libc and start files, as a static PIE.

fn main() {
    if std::env::var_os("CARGO_FEATURE_IMAGE").is_some() {
        for argument in ["-nostdlib", "-nostartfiles", "-static-pie", "-Wl,-z,noexecstack", "-Wl,--build-id=none"] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
