//! Compiles the C side of the comparison with the kernel's headers, where it is wanted.

fn main() {
    println!("cargo:rerun-if-env-changed=ZCRX_SYS_INCLUDE");
    println!("cargo:rerun-if-changed=src/headers.c");
    #[cfg(feature = "headers")]
    {
        let include = std::env::var("ZCRX_SYS_INCLUDE")
            .expect("feature `headers` needs ZCRX_SYS_INCLUDE, a directory of kernel headers (7.3 or newer)");
        cc::Build::new()
            .file("src/headers.c")
            .include(include)
            .flag("-fno-strict-aliasing")
            .warnings(true)
            .compile("zcrx-headers");
    }
}
