//! Nothing to do unless feature `bindgen` asks for bindings from the kernel headers of this machine.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "bindgen")]
    generate::bindings();
}

#[cfg(feature = "bindgen")]
mod generate {
    use bindgen::callbacks::{
        DeriveInfo, EnumVariantCustomBehavior, EnumVariantValue, ItemInfo, ParseCallbacks,
    };

    /// Constants that `wrapper.h` restates under this prefix get their own name back.
    const TYPED: &str = "zcrx_sys_typed_";

    #[derive(Debug)]
    struct Names;

    impl ParseCallbacks for Names {
        fn item_name(&self, item: ItemInfo<'_>) -> Option<String> {
            item.name.strip_prefix(TYPED).map(str::to_owned)
        }

        /// The kernel's answers to queries are for people to look at.
        fn add_derives(&self, info: &DeriveInfo<'_>) -> Vec<String> {
            let is_answer = info.name.starts_with("io_uring_query_");
            is_answer.then(|| "Debug".to_owned()).into_iter().collect()
        }

        /// Ends of enums move with every kernel: nothing may depend on them.
        fn enum_variant_behavior(
            &self,
            _: Option<&str>,
            name: &str,
            _: EnumVariantValue,
        ) -> Option<EnumVariantCustomBehavior> {
            let is_end = name.ends_with("_LAST") || name == "__IO_URING_QUERY_MAX";
            is_end.then_some(EnumVariantCustomBehavior::Hide)
        }
    }

    pub(super) fn bindings() {
        println!("cargo:rerun-if-changed=wrapper.h");
        println!("cargo:rerun-if-env-changed=ZCRX_SYS_INCLUDE");
        let include = std::env::var("ZCRX_SYS_INCLUDE").ok();
        let where_from = include.as_deref().unwrap_or("the system's include path");

        let mut builder = bindgen::Builder::default()
            .header("wrapper.h")
            .use_core()
            .rust_target(bindgen::RustTarget::stable(81, 0).expect("bindgen knows Rust 1.81"))
            .default_enum_style(bindgen::EnumVariation::Consts)
            .prepend_enum_name(false)
            .generate_comments(false)
            // src/uapi/layout.rs asserts layouts, written by hand from the headers: an independent
            // judge, and right on targets other than the one that ran bindgen.
            .layout_tests(false)
            .derive_default(true)
            // Formatting code for every struct doubles the time that the crate takes to compile.
            .derive_debug(false)
            .allowlist_type("(__)?io_uring_.*|zcrx_.*|io_[sc]qring_offsets|__kernel_timespec")
            .allowlist_var("_*(IORING|IOSQE|IOU|IO_URING|ZCRX|SOCKET_URING)_.*")
            .allowlist_var(format!("{TYPED}.*"))
            // Superseded by the typed restatements in wrapper.h.
            .disable_header_comment()
            // A union of two flexible arrays, which Rust cannot say; the ring is an array of
            // io_uring_buf whose first `resv` is the tail.
            .blocklist_type("io_uring_buf_ring.*")
            .blocklist_var("IORING_OFF_.*|IORING_FILE_INDEX_ALLOC|IOSQE_[A-Z_]*[A-Z]")
            .allowlist_var("IOSQE_.*_BIT|IORING_OFF_PBUF_SHIFT")
            .parse_callbacks(Box::new(Names));
        if let Some(dir) = &include {
            builder = builder.clang_arg(format!("-I{dir}"));
        }
        let bindings = builder.generate().unwrap_or_else(|e| {
            fail(
                where_from,
                &format!("bindgen could not read the io_uring headers: {e}"),
            )
        });
        // bindgen writes this as Rust 1.83 has it, whatever the target is said to be.
        let text = bindings
            .to_string()
            .replace("pub const unsafe fn as_mut(", "pub unsafe fn as_mut(");
        if !text.contains("ZCRX_CTRL_ADD_AREA") {
            fail(where_from, "the io_uring headers are older than kernel 7.3");
        }
        let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
        std::fs::write(std::path::Path::new(&out).join("bindings.rs"), text)
            .expect("OUT_DIR is writable");
    }

    fn fail(where_from: &str, why: &str) -> ! {
        eprintln!(
            "zcrx-sys: {why} (looked in {where_from}); install linux-libc-dev of kernel 7.3 or newer, \
             or set ZCRX_SYS_INCLUDE to a folder with such headers, or build without feature `bindgen`"
        );
        std::process::exit(1);
    }
}
