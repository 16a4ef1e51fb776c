//! Every coin file that is shipped: through the real configuration, against published addresses
//! and first blocks, and in the table of docs/coins.md.

use romp::chain::address::{self, Rules};
use romp::chain::{Header, Network, Target, hex_array, hex_encode};
use romp::config::{Coin, Config, load};
use romp::pow::Algorithm;
use romp::pow::ids::Ids;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const BEGIN: &str = "<!-- table: tests/it/coins.rs -->\n";
const END: &str = "<!-- end of table -->\n";

#[derive(Deserialize)]
struct Addresses {
    addresses: Vec<Address>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    coin: String,
    network: Network,
    address: String,
    script: String,
    #[serde(default)]
    other_form: bool,
}

#[derive(Deserialize)]
struct Refused {
    coin: String,
    network: Network,
    address: String,
    why: String,
}

#[derive(Deserialize)]
struct Blocks {
    genesis: Vec<Genesis>,
}

#[derive(Deserialize)]
struct Genesis {
    coin: String,
    network: Network,
    header: String,
    id: String,
    algorithm: Option<String>,
    #[serde(default)]
    unworked: bool,
}

#[derive(Deserialize)]
struct Remarks {
    /// What a coin was mined on for real.
    tried: BTreeMap<String, String>,
    /// Coins whose main chain cannot be mined with the file today, and why.
    not_today: BTreeMap<String, String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vectors<T: DeserializeOwned>(name: &str) -> T {
    let path = root().join("tests/vectors/coins").join(name);
    let text = std::fs::read_to_string(&path).expect("test vectors");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names of the files of coins/, without `.json`.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(root().join("coins")).expect("coins/").flatten();
    let mut names: Vec<_> = files
        .filter_map(|file| file.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Keys that NOMP reads in a coin file.
const NOMPS_KEYS: [&str; 16] = [
    "name",
    "symbol",
    "algorithm",
    "nValue",
    "rValue",
    "chainStartTime",
    "nMin",
    "nMax",
    "timeTable",
    "normalHashing",
    "txMessages",
    "reward",
    "peerMagic",
    "peerMagicTestnet",
    "mposDiffMultiplier",
    "hasGetInfo",
];

/// A folder with a pool for each coin, as an operator would have it.
fn all_at_once() -> (TempDir, Config) {
    every_pool(|text| text)
}

/// The same, each coin file changed.
fn every_pool(change: impl Fn(String) -> String) -> (TempDir, Config) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let folder = |name: &str| dir.path().join(name);
    for name in ["coins", "pool_configs"] {
        std::fs::create_dir(folder(name)).expect("folder");
    }
    std::fs::write(folder("config.json"), "{}").expect("config.json");
    let known: Addresses = vectors("addresses.json");
    for (place, name) in names().iter().enumerate() {
        let file = Path::new("coins").join(format!("{name}.json"));
        let text = std::fs::read_to_string(root().join(&file)).expect("coin file");
        std::fs::write(dir.path().join(&file), change(text)).expect("coin file");
        // Where the coin has a known address it is the pool's; else one by its versions.
        let address = known.addresses.iter().find(|it| it.coin == *name);
        let address =
            address.map_or_else(|| any_address(&root().join(&file)), |it| it.address.clone());
        let pool = format!(
            r#"{{"enabled": true, "coin": "{name}.json", "address": "{address}",
                "ports": {{"{}": {{"diff": 32}}}},
                "daemons": [{{"port": {}, "user": "u", "password": "p"}}]}}"#,
            20_000 + place,
            30_000 + place
        );
        std::fs::write(folder("pool_configs").join(format!("{name}.json")), pool).expect("pool");
    }
    let loaded = load(dir.path());
    assert!(loaded.errors.is_empty(), "{}", loaded.errors.join("\n"));
    let config = loaded.config.expect("a configuration");
    assert_eq!(config.pools.len(), names().len());
    (dir, config)
}

/// A coin file without its comments.
fn plain(text: &str) -> serde_json::Map<String, serde_json::Value> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    serde_json::from_str(&lines.collect::<String>()).expect("a coin file")
}

/// An address of 20 bytes of zeros by what the file says of its main network.
fn any_address(file: &Path) -> String {
    let value = plain(&std::fs::read_to_string(file).expect("coin file"));
    let networks = value.get("networks").cloned().unwrap_or_default();
    let version = networks["main"]["pubkeyHash"].as_u64().unwrap_or_default();
    let pubkey_hash = vec![u8::try_from(version).expect("a byte")];
    let rules = Rules { pubkey_hash, ..Rules::default() };
    address::encode(&address::pubkey_hash_script(&[0; 20]), &rules).expect("an address")
}

fn coin<'a>(config: &'a Config, name: &str) -> &'a Coin {
    &config.pools.get(name).unwrap_or_else(|| panic!("no coin of coins/{name}.json")).coin
}

/// The coin of a file: one of several algorithms has a file for each, `digibyte-skein` and such.
fn base(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

#[test]
fn every_coin_file_loads_and_no_two_coins_share_a_name_or_a_symbol() {
    let (_dir, config) = all_at_once();
    let mut symbols = BTreeMap::new();
    for pool in config.pools.values() {
        let coin = &pool.coin;
        // NOMP's identity is the lower-cased name, and its files are named so.
        assert!(names().contains(&coin.id), "{}: the file of {}", coin.id, coin.name);
        let base = base(&coin.id);
        if let Some(other) = symbols.insert(coin.symbol.clone(), base) {
            assert_eq!(other, base, "two coins with the symbol {}", coin.symbol);
        }
        assert_eq!(coin.addresses, config.pools[base].coin.addresses, "{}", coin.id);
        let several = config.pools.keys().filter(|id| self::base(id) == base).count();
        let told = coin.several_algorithms || base == "ravencoin";
        assert!(several == 1 || told, "{}: severalAlgorithms", coin.id);
    }
}

/// What NOMP's operators have: nothing but NOMP's keys, and the daemon tells what addresses mean.
#[test]
fn nomps_keys_alone_make_a_coin() {
    let (_dir, config) = every_pool(|text| {
        let mut value = plain(&text);
        value.retain(|key, _| NOMPS_KEYS.contains(&key.as_str()));
        serde_json::to_string(&value).expect("a coin file")
    });
    assert!(config.pools.values().all(|pool| pool.coin.addresses.is_empty()));
    assert_eq!(coin(&config, "litecoin").template_rules, ["mweb", "segwit"]);
    assert!(coin(&config, "florincoin").tx_messages);
}

#[test]
fn published_addresses_mean_their_scripts() {
    let (_dir, config) = all_at_once();
    let known: Addresses = vectors("addresses.json");
    for Address { coin: name, network, address, script, other_form } in &known.addresses {
        let rules = coin(&config, name).addresses.get(network);
        let rules = rules.unwrap_or_else(|| panic!("{name}: no rules of {network:?}"));
        let read = address::script(address, rules, *network);
        let read = read.unwrap_or_else(|error| panic!("{name}, {network:?}: {error}"));
        assert_eq!(hex_encode(&read), *script, "{name}, {network:?}: {address}");
        let written = address::encode(&read, rules).unwrap_or_else(|| panic!("{name}: {address}"));
        assert_eq!(written != *address, *other_form, "{name}: {address} is written {written}");
        assert_eq!(address::script(&written, rules, *network), Ok(read), "{name}: {written}");
    }
    for Refused { coin: name, network, address, why } in &known.refused {
        let rules = &coin(&config, name).addresses[network];
        let read = address::script(address, rules, *network);
        assert!(read.is_err(), "{name} takes {address} ({why})");
    }
}

#[test]
fn first_blocks_have_their_ids_and_meet_their_targets() {
    let (_dir, config) = all_at_once();
    let blocks: Blocks = vectors("genesis.json");
    let mut wrong = Vec::new();
    for block in &blocks.genesis {
        let (coin, of) = (coin(&config, &block.coin), (&block.coin, block.network));
        let header: Header = hex_array(&block.header).expect("80 bytes");
        let (algorithm, ids) = match block.algorithm.as_deref() {
            None => (coin.algorithm, coin.ids),
            Some(name) => (Algorithm::from_name(name).expect("an algorithm"), Ids::default()),
        };
        let id = ids.block(algorithm, &header).to_string();
        let bits = u32::from_le_bytes([header[72], header[73], header[74], header[75]]);
        let target = Target::from_compact(bits).expect("a target");
        let met = target.is_met_by(&algorithm.hash(&header));
        if id != block.id || met == block.unworked {
            wrong.push(format!("{of:?} with {}: id {id}, met {met}", algorithm.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The table that docs/coins.md has between its marks.
fn table() -> String {
    let (_dir, config) = all_at_once();
    let known: Addresses = vectors("addresses.json");
    let blocks: Blocks = vectors("genesis.json");
    let remarks: Remarks = vectors("remarks.json");
    let names: BTreeSet<_> = names().into_iter().collect();
    for name in remarks.tried.keys().chain(remarks.not_today.keys()) {
        assert!(names.contains(name), "remarks.json: no coins/{name}.json");
    }
    let mut table =
        "| file | symbol | algorithm | address versions | published addresses | first blocks \
                     | tried | |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let list = |words: Vec<String>, none: &str| match words.is_empty() {
        true => none.to_owned(),
        false => words.join(", "),
    };
    for name in &names {
        let coin = coin(&config, name);
        let networks = [Network::Main, Network::Test, Network::Regtest];
        let rules = networks.iter().filter(|network| coin.addresses.contains_key(network));
        let rules = rules.map(|network| network.name().to_owned()).collect();
        let count = |network: &Network| {
            let of = base(name);
            known.addresses.iter().filter(|it| it.coin == of && it.network == *network).count()
        };
        let counts = networks.iter().filter(|network| count(network) > 0);
        let counts = counts.map(|network| format!("{} {}", network.name(), count(network)));
        let blocks = blocks.genesis.iter().filter(|block| block.coin == *name);
        let blocks = blocks.map(|block| block.network.name().to_owned()).collect();
        let _ = writeln!(
            table,
            "| `{name}` | {} | `{}` | {} | {} | {} | {} | {} |",
            coin.symbol,
            coin.algorithm.name(),
            list(rules, "asks the daemon"),
            list(counts.collect(), "–"),
            list(blocks, "–"),
            remarks.tried.get(name).map_or("no", String::as_str),
            remarks.not_today.get(name).map_or("", String::as_str),
        );
    }
    table
}

#[test]
fn the_table_of_coins_is_true() {
    let path = root().join("docs/coins.md");
    let text = std::fs::read_to_string(&path).expect("docs/coins.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table's mark");
    let (written, after) = rest.split_once(END).expect("the mark of its end");
    let table = table();
    if std::env::var_os("ROMP_WRITE_COINS").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).expect("docs/coins.md");
        return;
    }
    let wrong = written.lines().zip(table.lines()).find(|(written, true_)| written != true_);
    assert!(
        written == table,
        "docs/coins.md is not what coins/ and tests/vectors/coins say ({wrong:?}): \
         ROMP_WRITE_COINS=1 cargo test --test it coins writes it"
    );
}
