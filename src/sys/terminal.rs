//! A line that is typed without being shown.

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};

/// Longest line, bytes.
const LONGEST: u64 = 1024;

/// One line of the standard input without its end. On a terminal `prompt` is written to the
/// standard error, and what is typed is not shown.
///
/// # Errors
/// When nothing can be read.
pub fn hidden_line(prompt: &str) -> io::Result<String> {
    let input = io::stdin();
    let before = match input.is_terminal() {
        true => {
            let before = tcgetattr(&input)?;
            let mut quiet = before.clone();
            quiet.local_flags.remove(LocalFlags::ECHO);
            quiet.local_flags.insert(LocalFlags::ECHONL);
            tcsetattr(&input, SetArg::TCSAFLUSH, &quiet)?;
            let _ = write!(io::stderr(), "{prompt}").and_then(|()| io::stderr().flush());
            Some(before)
        }
        false => None,
    };
    let mut line = String::new();
    let read = io::Read::take(input.lock(), LONGEST).read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&input, SetArg::TCSAFLUSH, &before)?;
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
