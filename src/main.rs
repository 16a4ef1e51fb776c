//! The `romp` binary: hands the command line to [`romp::cli`] and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    romp::cli::main()
}
