//! Usage: public-interface FILE
//! Prints the public items of a crate, one on a line, from the JSON that rustdoc wrote.

use std::process::ExitCode;

use public_api::Builder;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("Usage: public-interface FILE");
        return ExitCode::from(2);
    };
    // What every type has by the compiler's own doing says nothing, but for Send and Sync, which are kept.
    let builder = Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_derived_impls(true);
    match builder.build() {
        Ok(interface) => {
            println!("{interface}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
