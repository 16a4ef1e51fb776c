//! Transactions that pay miners: made without inputs for a wallet to fund, and read back from what
//! it signed.

use super::Hash;
use super::encode::{put_compact_size, put_sized, take, take_compact_size};
use crate::pow::ids::TransactionId;
use crate::rewards::Amount;

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What it pays.
    pub value: Amount,
    /// To whom.
    pub script: Vec<u8>,
}

/// A transaction, as far as a payer has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, made of its bytes without witness.
    pub txid: Hash,
    /// The outputs that it spends: transaction id and index.
    pub inputs: Vec<(Hash, u32)>,
    /// What it pays.
    pub outputs: Vec<Output>,
}

/// Most bytes of one script or witness item that are read: more than any block holds.
const MOST: u64 = 4_000_000;

/// A transaction of version 1 (old nodes do not relay others) without inputs that pays `outputs`, for `fundrawtransaction`.
#[must_use]
pub fn unfunded(outputs: &[Output]) -> Vec<u8> {
    let mut bytes = 1_u32.to_le_bytes().to_vec();
    bytes.push(0);
    put_compact_size(&mut bytes, outputs.len() as u64);
    for output in outputs {
        bytes.extend_from_slice(&output.value.0.to_le_bytes());
        put_sized(&mut bytes, &output.script);
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// What a coin's transactions have that Bitcoin's have not.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    /// A time behind the version (Peercoin and its kin).
    timed: bool,
    /// A text behind the lock time (`txMessages`; Florincoin and its kin).
    comment: bool,
}

impl Transaction {
    /// Reads the signed transaction of that id, of a coin that makes ids in one way or another, in
    /// Bitcoin's form, or with the time or the comment that some coins' have. `None`: it is none.
    #[must_use]
    pub fn named(bytes: &[u8], txid: &Hash) -> Option<Self> {
        let ids = [TransactionId::Sha256d, TransactionId::Sha256];
        let forms = [(false, false), (true, false), (false, true), (true, true)];
        forms.into_iter().find_map(|(timed, comment)| {
            let read = |id| Self::read(bytes, id, Form { timed, comment });
            ids.into_iter().filter_map(read).find(|read| read.txid == *txid)
        })
    }

    /// Reads a signed transaction, with witness (BIP 144) or without. `None`: it is not one, or has
    /// bytes behind its end.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::parse_as(bytes, TransactionId::Sha256d)
    }

    /// As [`Self::parse`], of a coin that makes ids so.
    #[must_use]
    pub fn parse_as(bytes: &[u8], id: TransactionId) -> Option<Self> {
        Self::read(bytes, id, Form::default())
    }

    fn read(bytes: &[u8], id: TransactionId, form: Form) -> Option<Self> {
        let mut reader = Reader(bytes);
        let version = reader.take(if form.timed { 8 } else { 4 })?;
        let witness = reader.0.first() == Some(&0);
        if witness && reader.take(2)? != [0, 1] {
            return None; // another extension, as MWEB's: not ours to judge
        }
        let body = reader.0;
        let inputs = (0..reader.size()?)
            .map(|_| {
                let txid = Hash(reader.array()?);
                let index = u32::from_le_bytes(reader.array()?);
                reader.item()?;
                reader.take(4)?;
                Some((txid, index))
            })
            .collect::<Option<Vec<_>>>()?;
        let outputs = (0..reader.size()?)
            .map(|_| {
                let value = Amount(u64::from_le_bytes(reader.array()?));
                Some(Output { value, script: reader.item()?.to_vec() })
            })
            .collect::<Option<Vec<_>>>()?;
        let body = body.get(..body.len() - reader.0.len())?;
        if witness {
            for _ in &inputs {
                for _ in 0..reader.size()? {
                    reader.item()?;
                }
            }
        }
        let end = reader.0;
        reader.take(4)?;
        if form.comment {
            reader.item()?;
        }
        let end = end.get(..end.len() - reader.0.len())?;
        let whole = [version, body, end].concat();
        (reader.0.is_empty() && !inputs.is_empty()).then(|| Self {
            txid: id.of(&whole),
            inputs,
            outputs,
        })
    }
}

/// Whether every node relays an output with this script: P2PKH, P2SH (with 32 bytes of hash, too,
/// which only Bitcoin Cash's addresses have), and witness programs of versions 0 and 1 in their
/// only lengths. Other witness versions parse as addresses, and some
/// coins give them a meaning of their own (Litecoin: peg-ins to MWEB).
#[must_use]
pub fn is_payable(script: &[u8]) -> bool {
    matches!(
        (script, script.len()),
        ([0x76, 0xa9, 20, ..], 25)
            | ([0xa9, 20, ..], 23)
            | ([0xaa, 32, ..], 35)
            | ([0, 20, ..], 22)
            | ([0 | 0x51, 32, ..], 34)
    )
}

/// Whether a script is of a witness version above 0, which nodes relay payments to since Bitcoin
/// 0.19 (BIP 141; 1 is Taproot's).
#[must_use]
pub fn is_late(script: &[u8]) -> bool {
    matches!(script, [0x51..=0x60, size @ 2..=40, program @ ..] if program.len() == usize::from(*size))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        take(&mut self.0)
    }

    fn size(&mut self) -> Option<u64> {
        take_compact_size(&mut self.0).filter(|&size| size <= MOST)
    }

    fn item(&mut self) -> Option<&'a [u8]> {
        let size = self.size()?;
        self.take(usize::try_from(size).ok()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::chain::{hex_decode, sha256d};
    use proptest::prelude::*;

    /// BIP 143, native P2WPKH, signed: two inputs, one of them with a witness.
    const SIGNED: &str = "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf43354\
        1db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e\
        5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51\
        e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb20600\
        0000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42db\
        ee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0\
        d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eeb\
        ee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000";

    #[test]
    fn the_signed_transaction_of_bip_143_is_read() {
        let bytes = hex_decode(&SIGNED.replace(' ', "")).unwrap();
        let read = Transaction::parse(&bytes).unwrap();
        let txid = "e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609";
        assert_eq!(read.txid.to_string(), txid);
        // Coins with one SHA-256 in their ids know it by another one; by a third nobody does.
        let once = Transaction::parse_as(&bytes, TransactionId::Sha256).unwrap();
        assert_ne!(once.txid, read.txid);
        assert_eq!(Transaction::named(&bytes, &once.txid).as_ref(), Some(&once));
        assert_eq!(Transaction::named(&bytes, &read.txid).as_ref(), Some(&read));
        assert_eq!(Transaction::named(&bytes, &Hash([7; 32])), None);
        assert_eq!(read.inputs.len(), 2);
        assert_eq!(read.inputs[1].1, 1);
        let values: Vec<u64> = read.outputs.iter().map(|output| output.value.0).collect();
        assert_eq!(values, [112_340_000, 223_450_000]);
        assert_eq!(Transaction::parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Transaction::parse(&[bytes, vec![0]].concat()), None);
    }

    #[test]
    fn an_unfunded_one_has_its_outputs_and_no_input() {
        let output = Output { value: Amount(5), script: vec![0x51] };
        let bytes = unfunded(std::slice::from_ref(&output));
        assert_eq!(bytes, hex_decode("0100000000010500000000000000015100000000").unwrap());
        assert_eq!(Transaction::parse(&bytes), None);
    }

    #[test]
    fn a_time_or_a_comment_is_read_over() {
        let plain = hex_decode(&SIGNED.replace(' ', "")).unwrap();
        let read = Transaction::parse(&plain).unwrap();
        let (version, rest) = plain.split_at(4);
        let time = 1_400_000_000_u32.to_le_bytes();
        let comment = b"\x06/romp/";
        for (time, comment) in [(&time[..], &b""[..]), (b"", comment), (&time, comment)] {
            let bytes = [version, time, rest, comment].concat();
            assert_eq!(Transaction::parse(&bytes), None);
            // The id is over all of it but marker, flag and witness.
            let witness = 1 + 1 + (1 + 0x47) + (1 + 0x21);
            let (rest, lock_time) = rest.split_at(rest.len() - 4);
            let body = &rest[2..rest.len() - witness];
            let whole = [version, time, body, lock_time, comment].concat();
            let odd = Transaction::named(&bytes, &sha256d(&whole)).unwrap();
            assert_eq!((odd.inputs, odd.outputs), (read.inputs.clone(), read.outputs.clone()));
            assert_eq!(Transaction::named(&bytes, &read.txid), None);
        }
        assert_eq!(Transaction::named(&plain, &read.txid), Some(read));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Transaction::parse(&bytes);
            let _ = Transaction::named(&bytes, &Hash([0; 32]));
        }
    }
}
