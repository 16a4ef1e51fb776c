//! Every algorithm against its vectors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::chain::{Target, hex_array, sha256d};
use std::path::Path;

/// Algorithms whose vectors have another name.
const OTHER_NAMES: [(Algorithm, &str); 1] = [(Algorithm::Sha256, "sha256d")];

/// Every header of every algorithm's vector file: hashes as published, genesis blocks meet their
/// targets. A file that no algorithm takes is an error too.
#[test]
fn all_agree_with_published_headers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/pow");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // Of these there are no vectors but those below.
    let without = [Algorithm::ScryptOg, Algorithm::KeccakNormal, Algorithm::X14];
    let with_vectors = Algorithm::ALL.into_iter().filter(|it| !without.contains(it));
    for algorithm in with_vectors {
        let other = OTHER_NAMES.iter().find(|(it, _)| *it == algorithm);
        let file = format!("{}.json", other.map_or(algorithm.name(), |(_, name)| name));
        let text = std::fs::read_to_string(folder.join(&file)).unwrap();
        agrees(algorithm, &serde_json::from_str(&text).unwrap());
        files.retain(|it| *it != file);
    }
    assert!(files.is_empty(), "vectors of no algorithm: {files:?}");
}

fn agrees(algorithm: Algorithm, json: &serde_json::Value) {
    let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
    let genesis = json["genesis"].as_array().unwrap();
    let vectors = json["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 20);
    for case in genesis.iter().chain(vectors) {
        let header: Header = hex_array(&text(case, "header_hex")).unwrap();
        let hash = with_parameters(algorithm, &case["params"]).hash(&header);
        let expected = Hash(hex_array(&text(case, "hash_hex")).unwrap());
        assert_eq!(hash, expected, "{}: {case}", algorithm.name());
        if case["meets_nbits_target"] == true {
            let bits = u32::from_le_bytes(header[72..76].try_into().unwrap());
            assert!(Target::from_compact(bits).unwrap().is_met_by(&hash), "{case}");
        }
    }
}

/// Those that grow, with the N or the N factor that a file says, whatever the header's time.
fn with_parameters(algorithm: Algorithm, parameters: &serde_json::Value) -> Algorithm {
    let number = |key: &str| parameters[key].as_u64().unwrap();
    match algorithm {
        Algorithm::ScryptN(_) => Algorithm::ScryptN(TimeTable::new([(number("n"), 0)]).unwrap()),
        Algorithm::ScryptJane(_) => {
            let factor = u8::try_from(number("n_factor")).unwrap();
            Algorithm::ScryptJane(Growth { start: 0, least: factor, most: factor })
        }
        other => other,
    }
}

/// The genesis blocks of Vertcoin and YaCoin, with the N that their own time asks for.
#[test]
fn growing_ones_begin_as_their_chains_did() {
    for (algorithm, file) in [
        (
            Algorithm::ScryptN(TimeTable::VERTCOIN),
            include_str!("../../tests/vectors/pow/scrypt-n.json"),
        ),
        (
            Algorithm::ScryptJane(Growth::YACOIN),
            include_str!("../../tests/vectors/pow/scrypt-jane.json"),
        ),
    ] {
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        let genesis = &json["genesis"][0];
        let header: Header = hex_array(genesis["header_hex"].as_str().unwrap()).unwrap();
        let hash = hex_array(genesis["hash_hex"].as_str().unwrap()).unwrap();
        assert_eq!(algorithm.hash(&header), Hash(hash), "{}", algorithm.name());
    }
}

/// Ten texts of 80 bytes, as other implementations hash them.
#[test]
fn all_agree_on_texts() {
    let text = include_str!("../../tests/vectors/strings.json");
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let headers = json["headers"].as_array().unwrap();
    for (name, hashes) in json["hashes"].as_object().unwrap() {
        for (header, expected) in headers.iter().zip(hashes.as_array().unwrap()) {
            let header: Header = hex_array(header.as_str().unwrap()).unwrap();
            let hash = match name.as_str() {
                "sha256d" => Algorithm::Sha256.hash(&header),
                name => Algorithm::from_name(name).unwrap().hash(&header),
            };
            assert_eq!(hash.0, hex_array::<32>(expected.as_str().unwrap()).unwrap(), "{name}");
        }
    }
}

/// NOMP's test header. The scrypt value is OpenSSL's: the one handed down for NOMP's hashing
/// module fits no published chain (its C code breaks under strict aliasing).
#[test]
fn all_agree_on_nomps_test_header() {
    let header: Header = hex_array(
        "7000000001e980924e4e1109230383e66d62945ff8e749903bea4336755c00000000000051928aff1b4d7241\
         6173a8c3948159a09a73ac3bb556aa6bfbcad1a85da7f4c1d13350531e24031b939b9e2b",
    )
    .unwrap();
    for (name, hash) in [
        ("sha256", "b54fca6a1fa2eff9ddf96ef2398065007d1dbfca1af5feaae91cf4f228d1efa8"),
        ("sha1", "000000000000000000000000cea05a57bc6956019c983e5bcea9b904213877aa"),
        ("c11", "160e72c3a31a2268254aa9f088697d3f351068fd91d8e891d6358c80c50d39d2"),
        ("x11", "c400ebef2a98ba6036198febbe07682fb25028670b8047c117f2d3b7dcefeb7c"),
        ("x13", "27b994f3f06a28a9725df05cc6a560077a814ab9128af573802d3e4f8fdccfa9"),
        ("x15", "2ced2b7ba33a2760997e01a7ae4290f9203618c442f35b302e3767aa902fdcec"),
        ("x16r", "d4dc042663b9cad4c5b89a644d46c63e7734b7f3aa645b8675c077d05dd1cc6b"),
        ("x16rv2", "2abe1bf99d3c62eebf8d5efea1d3db162428f9472b3e9cd56ba7403c26cf2408"),
        ("nist5", "481be42a449e7089bf05bf93293926b8b810bfff633b8c01c7a26bb9ebc9dd1b"),
        ("quark", "c648b4153cd81052583542367ae3408e44989023080bba2d60cc209ed04c8f3c"),
        ("keccak", "5917138b313b3162e91a02d04f7f827e608175ce8a726e7235878c7c98c240e4"),
        ("blake", "a7b928b972369cdcc43e29a7429de790c3b78376d42ff4e38d568a1900000000"),
        ("skein", "851a95fb45832b8b52fce9ec18194cee48fec148e2ba11a86d19596935b1585b"),
        ("groestl", "fa9db645543b982f947be9cebe995d7f1e8fe80fe662aa7cc52cdf6f5541cc99"),
        ("fugue", "083f03ad614064ac30ec225b2615c035a30e4f505b654999196b07c527cc1384"),
        ("shavite3", "b47a2f937697ce6bf3995546e3ededbdf708acbbc4becdc6e9a518b97b8352ba"),
        ("hefty1", "1ab3f52a4c74e42e06801a032768090c8afc3370da4eaa4670a6a55f7af70662"),
        ("qubit", "e5a4946290bdfd9064fcb5e7173248c41cdaa836f08e4e89bb3fedaf608027cb"),
        ("neoscrypt", "94367f3f5b4d60e0021e5b73f645003ebfd410b0f67f7be9f21367a02d6897ae"),
        ("scrypt", "744d9b3fbf25ff3c67fbfdda8e1140cf540862876c6638f88a3114cf2012ba8f"),
    ] {
        let algorithm = Algorithm::from_name(name).unwrap();
        assert_eq!(algorithm.hash(&header).0, hex_array::<32>(hash).unwrap(), "{name}");
    }
    // N by the header's own time.
    let jane = "def14ab10c1c1d17f8be6dfeea0ec99426f5f09974c84496059e37d5b079a426";
    let hash = Algorithm::ScryptJane(Growth::YACOIN).hash(&header);
    assert_eq!(hash.0, hex_array::<32>(jane).unwrap(), "scrypt-jane");
    // OpenSSL's.
    for (algorithm, expected) in [
        (Algorithm::ScryptOg, "fb3d0a914e09805147e6ab80ceeac0f71028f336f35e96ca1892e0598619f919"),
        (
            Algorithm::ScryptN(TimeTable::VERTCOIN),
            "5e32c066aaf71ffcff78a609e932000ef2fb2e747ef8c522baaefcd238a7aa2c",
        ),
    ] {
        let hash = algorithm.hash(&header);
        assert_eq!(hash.0, hex_array::<32>(expected).unwrap(), "{}", algorithm.name());
    }
    let own_time = single::keccak_normal(&header, 1_397_765_073);
    assert_eq!(Algorithm::KeccakNormal.hash(&header), own_time);
    let normal = "5c8320c9458188bd026b8bd5e04cc5c45d4b52e1c509e1edd00ef5295195dab0";
    let hash = single::keccak_normal(&header, 1_398_035_408);
    assert_eq!(hash.0, hex_array::<32>(normal).unwrap(), "keccak with normalHashing");
}

#[test]
fn names_are_found_again() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        let written = serde_json::to_value(algorithm).unwrap();
        let name = written.as_str().or_else(|| written.as_object()?.keys().next().map(|k| &**k));
        assert_eq!(name, Some(algorithm.name()), "one name everywhere");
        assert_eq!(serde_json::from_value::<Algorithm>(written).unwrap(), algorithm);
    }
    assert_eq!(Algorithm::from_name("Scrypt"), None);
}

/// Dash's genesis block, as explorers know it, and a coinbase of a coin with single SHA-256.
#[test]
fn blocks_and_coinbases_have_the_ids_of_their_coins() {
    let text = include_str!("../../tests/vectors/pow/x11.json");
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let header: Header = hex_array(json["genesis"][0]["header_hex"].as_str().unwrap()).unwrap();
    let id = "00000ffd590b1485b3caadc19b22e6379c733355108f107a430458cdf3407ab6";
    assert_eq!(Algorithm::X11.block_id(&header).to_string(), id);
    for algorithm in [Algorithm::Sha256, Algorithm::Scrypt, Algorithm::Blake] {
        assert_eq!(algorithm.block_id(&header), sha256d(&header));
    }
    // SHA-256 of "abc": FIPS 180-4.
    let once = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for algorithm in Algorithm::ALL {
        let id = algorithm.coinbase_id(b"abc");
        match algorithm.name() {
            "fugue" | "groestl" | "keccak" => assert_eq!(id.0, hex_array(once).unwrap()),
            name => assert_eq!(id, sha256d(b"abc"), "{name}"),
        }
    }
}

/// `docs/algorithms.md` has a row for each algorithm, with its factor and its id.
#[test]
fn the_documented_rules_are_those_of_the_code() {
    let text = include_str!("../../docs/algorithms.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        // Speeds stand in another table, of six columns.
        .filter(|row| row.len() == 6)
        .collect();
    for algorithm in Algorithm::ALL {
        let name = format!("`{}`", algorithm.name());
        let row = rows.iter().find(|row| row.get(1) == Some(&name.as_str()));
        let row = row.unwrap_or_else(|| panic!("no row of {name}"));
        let id = match (algorithm, algorithm.is_id()) {
            (Algorithm::Sha256, _) => "the same",
            (_, true) => "proof of work",
            (_, false) => "SHA-256d",
        };
        let factor = (1_u32 << algorithm.multiplier_shift()).to_string();
        assert_eq!(row[3..5], [factor.as_str(), id], "{name}");
    }
    assert_eq!(rows.len(), Algorithm::ALL.len());
}
