//! BIP 173 and 350 vectors, real addresses of several coins, round trips.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::chain::{hex_decode, hex_encode};
use proptest::prelude::*;

fn rules(pubkey_hash: u8, script_hash: &[u8], hrp: &str) -> Rules {
    Rules {
        pubkey_hash: vec![pubkey_hash],
        script_hash: script_hash.to_vec(),
        segwit_hrp: Some(hrp.to_owned()),
        ..Rules::default()
    }
}

fn bitcoin() -> Rules {
    rules(0, &[5], "bc")
}

fn hex_of(address: &str, rules: &Rules) -> Result<String, AddressError> {
    script(address, rules, Network::Main).map(|script| hex_encode(&script))
}

#[test]
fn segwit_addresses_of_the_bips() {
    for (address, hrp, wanted) in [
        (
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc",
            "0014751e76e8199196d454941c45d1b3a323f1433bd6",
        ),
        (
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "tb",
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
        ),
        (
            "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
            "bc",
            "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
        ),
        ("BC1SW50QGDZ25J", "bc", "6002751e"),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "bc", "5210751e76e8199196d454941c45d1b3a323"),
        (
            "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
            "tb",
            "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
        ),
    ] {
        assert_eq!(hex_of(address, &rules(0, &[], hrp)).as_deref(), Ok(wanted), "{address}");
    }
}

#[test]
fn what_the_bips_call_invalid_is_refused() {
    for address in [
        // BIP 350: wrong checksum kind for the version, mixed case, bad lengths and padding.
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
        "bc1pw5dgrnzv",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
        "bc1gmk9yu",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        // Base58check with one digit changed, cut, lengthened.
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN22",
        "",
        "x",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2.rig",
        " 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    ] {
        assert_eq!(
            hex_of(address, &rules(0, &[5], "bc")),
            Err(AddressError::Malformed(address.to_owned()))
        );
    }
}

#[test]
fn base58_addresses_by_their_version() {
    let nomp = hex_of("mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc", &rules(111, &[196], "tb"));
    assert_eq!(nomp.as_deref(), Ok("76a9141bf1c824cd6028bcd65732374baea5dca5fed57088ac"));
    // BIP 13's example: never taken for a public key hash (that would burn the money).
    let p2sh = hex_of("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", &bitcoin());
    assert_eq!(p2sh.as_deref(), Ok("a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"));
    // NOMP's mining key under two versions.
    let key = crate::chain::hex_array("22851477d63a085dbc2398c8430af1c09e7343f6").unwrap();
    for (version, address) in
        [(111, "mifUh8hTMomrQL1dyVykffhcsYAfExzdxa"), (48, "LNNUfHvJdSaet2EBS4zg7mZ4DkwERybANR")]
    {
        let rules = rules(version, &[], "x");
        assert_eq!(script(address, &rules, Network::Main), Ok(pubkey_hash_script(&key)));
        assert_eq!(encode(&pubkey_hash_script(&key), &rules).as_deref(), Some(address));
    }
}

#[test]
fn addresses_of_another_network_are_named_so() {
    for address in [
        "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
        "LNNUfHvJdSaet2EBS4zg7mZ4DkwERybANR",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
    ] {
        let error = script(address, &bitcoin(), Network::Main).unwrap_err();
        assert!(matches!(error, AddressError::OtherNetwork { .. }), "{error}");
        assert!(error.to_string().contains(address));
    }
    let without_segwit = Rules { segwit_hrp: None, ..bitcoin() };
    let address = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4";
    let error = script(address, &without_segwit, Network::Main).unwrap_err();
    assert!(matches!(error, AddressError::OtherNetwork { .. }), "{error}");
    let silent = script(address, &Rules::default(), Network::Test);
    assert_eq!(silent, Err(AddressError::NoRules(Network::Test)));
}

#[test]
fn scripts_without_an_address_have_none() {
    for hex in ["", "6a", "6a24aa21a9ed", "0014751e", "52", "76a91488ac", "a91487", "5151"] {
        assert_eq!(encode(&hex_decode(hex).unwrap(), &bitcoin()), None, "{hex}");
    }
}

proptest! {
    #[test]
    fn addresses_come_back(hash: [u8; 20], versions: (u8, u8), program: [u8; 32], version in 1_u8..=16) {
        prop_assume!(versions.0 != versions.1);
        let rules = rules(versions.0, &[versions.1], "rltc");
        let witness = |opcode: u8, program: &[u8]| {
            [&[opcode, u8::try_from(program.len()).unwrap()], program].concat()
        };
        for wanted in [
            pubkey_hash_script(&hash),
            script_hash_script(&hash),
            witness(0, &hash),
            witness(0, &program),
            witness(0x50 + version, &program),
        ] {
            let address = encode(&wanted, &rules).unwrap();
            prop_assert_eq!(script(&address, &rules, Network::Regtest).unwrap(), wanted);
        }
    }

    #[test]
    fn cashaddr_and_other_checksums_come_back(hash: [u8; 20], long: [u8; 32], digit in 0_usize..42) {
        let mut rules = Rules { segwit_hrp: None, ..bitcoin() };
        let p2sh32 = [&[0xaa, 32], long.as_slice(), &[0x87]].concat();
        prop_assert_eq!(encode(&p2sh32, &rules), None);
        rules.checksum = Checksum::Groestl;
        for cashaddr in [None, Some("bitcoincash".to_owned())] {
            rules.cashaddr = cashaddr;
            for wanted in [pubkey_hash_script(&hash), script_hash_script(&hash)] {
                let address = encode(&wanted, &rules).unwrap();
                prop_assert_eq!(script(&address, &rules, Network::Main), Ok(wanted.clone()));
                prop_assert!(script(&address, &bitcoin(), Network::Main).is_err());
            }
        }
        let address = encode(&p2sh32, &rules).unwrap();
        prop_assert_eq!(script(&address, &rules, Network::Main), Ok(p2sh32));
        // One digit changed never passes.
        let address = encode(&pubkey_hash_script(&hash), &rules).unwrap();
        let place = "bitcoincash:".len() + digit;
        let other = if address.as_bytes()[place] == b'q' { "p" } else { "q" };
        let mut changed = address;
        changed.replace_range(place..=place, other);
        prop_assert!(script(&changed, &rules, Network::Main).is_err());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,100}", tail in "[qpzry9x8gf2tvdw0s3jn54khce6mua7l:]{0,120}") {
        let cash = Rules { cashaddr: Some("bitcoincash".to_owned()), ..bitcoin() };
        for text in [&text, &tail] {
            let _ = script(text, &bitcoin(), Network::Main);
            let _ = script(text, &cash, Network::Main);
        }
    }
}
