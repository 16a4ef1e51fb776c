//! Files that spreadsheets open: RFC 4180, in UTF-8. Pure.

use super::super::text::bare;
use csv::{Terminator, WriterBuilder};

/// Columns of a file of payments.
pub(super) const HEAD: [&str; 8] =
    ["time", "date", "coin", "amount", "address", "transaction", "state", "confirmations"];

/// What a spreadsheet takes for the begin of something to compute; the wide ones in Japan.
const STARTS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A cell. What a name holds somebody else has chosen.
fn cell(text: &str) -> String {
    let text = bare(text);
    match text.trim_start().starts_with(STARTS) {
        true => format!("'{text}"),
        false => text,
    }
}

/// A head and rows.
pub(super) fn write<const N: usize>(
    rows: impl Iterator<Item = [String; N]>,
) -> Result<String, String> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEAD).map_err(|error| error.to_string())?;
    for row in rows {
        let cells = row.iter().map(|text| cell(text));
        writer.write_record(cells).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(address: &str) -> [String; 8] {
        let mut row = HEAD.map(str::to_owned);
        row[4] = address.to_owned();
        row
    }

    #[test]
    fn lines_and_quotes_are_those_of_the_rfc() {
        let text = write([row("a,\"b\"")].into_iter()).unwrap();
        assert_eq!(
            text,
            "time,date,coin,amount,address,transaction,state,confirmations\r\n\
             time,date,coin,amount,\"a,\"\"b\"\"\",transaction,state,confirmations\r\n"
        );
    }

    #[test]
    fn nothing_is_computed_and_nothing_breaks_a_line() {
        for (name, wanted) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'=1"),
            ("\r\n=1\u{0}", "'=1"),
            ("\u{202e}=1", "'=1"),
            (" =1", "' =1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("a=1", "a=1"),
            ("LVg2kJoFNg45", "LVg2kJoFNg45"),
        ] {
            assert_eq!(cell(name), wanted, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_reader_finds_the_same_cells(name in any::<String>()) {
            let text = write([row(&name)].into_iter()).unwrap();
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(records.len(), 1);
            let wanted = cell(&name);
            prop_assert_eq!(&records[0][4], wanted.as_str());
            prop_assert!(!wanted.starts_with(STARTS));
        }
    }
}
