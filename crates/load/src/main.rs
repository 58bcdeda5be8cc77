//! `tertulia-load`: the load generator as a program. See `--help`.

use std::io::Write as _;
use std::process::ExitCode;

use tertulia_load::{args, program};

fn main() -> ExitCode {
    let result = match args::parse(std::env::args_os()) {
        Ok(args::Parsed::Run(args)) => program::run(&args),
        Ok(args::Parsed::Say(text)) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "tertulia-load: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}
