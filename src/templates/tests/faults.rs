//! Every fault of a daemon (reliability F37, F40, D2 to D8): another daemon gives the work, and none
//! is made of bad data.

use super::*;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a daemon does instead of answering.
type Fault = Arc<dyn Fn(&Chain, &str, &str) -> Answer + Send + Sync>;

/// A daemon on a chain that does as a fault says, once there is one.
fn daemon(chain: &Chain, fault: &Arc<Mutex<Option<Fault>>>) -> Daemon {
    let (chain, fault) = (chain.clone(), Arc::clone(fault));
    stub::daemon(move |method, body| {
        let now = fault.lock().unwrap().clone();
        now.map_or_else(|| chain.answer(method, body), |fault| fault(&chain, method, body))
    })
}

fn always(answer: fn() -> Answer) -> Fault {
    Arc::new(move |_, _, _| answer())
}

/// Only templates are answered wrongly: the rest of the daemon looks well.
fn template(answer: fn() -> Answer) -> Fault {
    Arc::new(move |chain, method, body| match method {
        "getblocktemplate" => answer(),
        _ => chain.answer(method, body),
    })
}

/// A template with a field replaced.
fn poison(from: &'static str, to: impl Fn() -> String + Send + Sync + 'static) -> Fault {
    Arc::new(move |chain, method, body| match chain.answer(method, body) {
        Answer::Result(text) if method == "getblocktemplate" && text.contains("curtime") => {
            assert!(text.contains(from), "{from}: {text}");
            Answer::Result(text.replace(from, &to()))
        }
        answer => answer,
    })
}

fn text(text: &'static str) -> impl Fn() -> String + Send + Sync + 'static {
    move || text.to_owned()
}

fn http(status: u16, body: &str) -> Answer {
    Answer::Http(status, body.to_owned())
}

fn raw(text: &str) -> Answer {
    Answer::Raw(text.as_bytes().to_vec())
}

fn rpc(code: i32) -> Answer {
    Answer::Error(format!("{{\"code\":{code},\"message\":\"so it is\"}}"))
}

fn faults() -> Vec<(&'static str, Fault)> {
    const TX: &str = r#"{"data":"01","txid":"AA"}"#;
    let twice = || format!("\"transactions\":[{TX},{TX}]").replace("AA", &"aa".repeat(32));
    let later = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        format!("\"curtime\":{}", now + 3 * 3_600)
    };
    let unknown = || format!("\"previousblockhash\":\"{}\"", "ee".repeat(32));
    let tip = format!("\"previousblockhash\":\"{}\"", hash_at(101));
    vec![
        ("work queue", always(|| http(500, "Work queue depth exceeded"))),
        ("401", always(|| http(401, ""))),
        ("403", always(|| http(403, ""))),
        ("404", always(|| http(404, ""))),
        ("503", always(|| http(503, "<html>"))),
        ("empty", always(|| http(200, ""))),
        ("null", template(|| Answer::Result("null".to_owned()))),
        ("half", always(|| http(200, "{\"result\": {\"blocks\": 1"))),
        ("page", always(|| http(200, "<html><body>It works!</body></html>"))),
        ("wrong id", always(|| http(200, r#"{"result":1,"error":null,"id":-7}"#))),
        ("both", always(|| http(200, r#"{"result":1,"error":{"code":-1},"id":1}"#))),
        ("error text", always(|| http(200, r#"{"result":null,"error":"no","id":1}"#))),
        ("drips", always(|| Answer::Drip)),
        ("hangs", always(|| Answer::Silence)),
        ("hangs at templates", template(|| Answer::Silence)),
        ("reset", always(|| raw("HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n"))),
        ("no HTTP", always(|| raw("SSH-2.0-OpenSSH\r\n"))),
        ("-28", always(|| rpc(-28))),
        ("-9", template(|| rpc(-9))),
        ("-10", template(|| rpc(-10))),
        ("-8", template(|| rpc(-8))),
        ("height", poison("\"height\":102", text("\"height\":103"))),
        ("lower height", poison("\"height\":102", text("\"height\":7"))),
        ("bits", poison("207fffff", text("ff7fffff"))),
        ("target", {
            let target = format!("\"target\":\"{}\",\"curtime\"", "11".repeat(32));
            poison("\"curtime\"", move || target.clone())
        }),
        ("mintime", poison("1600000000", text("4200000000"))),
        ("rule", poison("\"curtime\"", text("\"rules\":[\"!strange\"],\"curtime\""))),
        ("twice", poison("\"transactions\":[]", twice)),
        ("time", poison("\"curtime\":1700000000", later)),
        ("previous", poison(Box::leak(tip.into_boxed_str()), unknown)),
        ("reward", poison("5000000000", text("-5"))),
    ]
}

#[test]
fn whatever_a_daemon_does_the_other_one_gives_the_work() {
    std::thread::scope(|scope| {
        for (name, fault) in faults() {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || survives(name, fault))
                .unwrap();
        }
    });
}

fn survives(name: &str, fault: Fault) {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Chain::new(100), Chain::new(100));
    let spell = Arc::new(Mutex::new(None));
    let daemons = vec![daemon(&first, &spell), second.daemon()];
    // Many at once on a busy machine: patient where patience is not what is tried.
    let patient = if name.contains("hangs") || name == "drips" { 500 } else { 5_000 };
    let timeout = Duration::from_millis(patient);
    let mut master = Master::start(dir.path(), Pool { daemon_timeout: timeout, ..pool(daemons) });
    master.work_on(hash_at(100));
    *spell.lock().unwrap() = Some(fault);
    first.mine();
    let work = master.work_on(second.mine());
    assert_eq!((work.height, work.coinbase_value.0, work.bits), (102, 5_000_000_000, 0x207f_ffff));
    let bad = master.works.iter().find(|(work, _)| {
        ![(101, hash_at(100)), (102, hash_at(101))].contains(&(work.height, work.previous))
            || work.time > 1_700_000_000
    });
    assert!(bad.is_none(), "{name}: {bad:?}");
}

/// A template that a daemon keeps is not waited for when another daemon has a new block.
#[test]
fn a_daemon_that_keeps_its_template_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Chain::new(100), Chain::new(100));
    let (chain, keeps) = (first.clone(), Arc::new(Mutex::new(None)));
    let kept = Arc::clone(&keeps);
    let daemon = stub::daemon(move |method, body| match (method, &mut *kept.lock().unwrap()) {
        ("getblocktemplate", Some(asked)) => {
            *asked = true;
            Answer::Silence
        }
        _ => chain.answer(method, body),
    });
    // Its deadline is further away than this test's.
    let patient = Pool {
        daemon_timeout: Duration::from_secs(60),
        job_refresh: Duration::from_millis(1),
        ..pool(vec![daemon, second.daemon()])
    };
    // The first one is chosen, as the other one is not ready yet.
    second.change(|state| state.headers = 200);
    let mut master = Master::start(dir.path(), patient);
    master.work_on(hash_at(100));
    second.change(|state| state.headers = 100);
    master.status("both", |status| status.daemons.iter().all(|daemon| daemon.fresh));
    *keeps.lock().unwrap() = Some(false);
    master.until("its being asked", |_| (*keeps.lock().unwrap() == Some(true)).then_some(()));
    master.work_on(second.mine());
}

/// Each call is answered in time, but there are many to a template: the scripts of its payees.
#[test]
fn a_daemon_that_is_slow_over_many_calls_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Chain::new(100), Chain::new(100));
    let payees = |number: u16| format!(r#"{{"payee":"payee-{number}","amount":1}}"#);
    let payees: Vec<String> = (0..500).map(payees).collect();
    let demanded = format!(r#""superblock":[{}],"curtime""#, payees.join(","));
    let demands = poison("\"curtime\"", move || demanded.clone());
    let slow: Fault = Arc::new(move |chain, method, body| {
        if body.contains("payee-") {
            std::thread::sleep(Duration::from_millis(200));
        }
        demands(chain, method, body)
    });
    let spell = Arc::new(Mutex::new(None));
    // A probe, which would find it out too, comes after an hour.
    let rare = Pool {
        block_refresh: Duration::from_secs(3_600),
        job_refresh: Duration::from_millis(1),
        daemon_timeout: Duration::from_secs(1),
        ..pool(vec![daemon(&first, &spell), second.daemon()])
    };
    let mut master = Master::start(dir.path(), rare);
    master.work_on(hash_at(100));
    master.status("both", |status| status.daemons.iter().all(|daemon| daemon.fresh));
    *spell.lock().unwrap() = Some(slow);
    master.status("left", |status| status.daemons[1].chosen);
}

#[test]
fn a_daemon_that_contradicts_is_refused_with_the_doctors_sentence() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    chain.change(|state| state.objection = "\"bad-cb-amount\"");
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let told = |status: &CoinStatus| {
        let problem = status.daemons[0].problem.as_deref();
        problem.is_some_and(|words| words.contains("would refuse the blocks that romp builds"))
    };
    master.status("refused", told);
    assert!(master.works.is_empty());
    // The operator has mended it.
    chain.change(|state| state.objection = "null");
    master.work_on(hash_at(100));
}

/// What a daemon answers to a long poll goes the same way as what is asked for.
#[test]
fn a_template_that_comes_by_long_poll_is_checked_like_any_other() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    chain.change(|state| state.more = r#","longpollid":"x""#);
    let tells = chain.clone();
    let daemon = stub::daemon(move |method, body| match (method, tells.answer(method, body)) {
        ("getrpcinfo", _) => Answer::Result("{\"active_commands\":[]}".to_owned()),
        ("getblocktemplate", Answer::Result(text)) if body.contains("\"longpollid\"") => {
            Answer::Result(text.replace(&hash_at(100).to_string(), &"ee".repeat(32)))
        }
        (_, answer) => answer,
    });
    let mut master = Master::start(dir.path(), pool(vec![daemon]));
    master.work_on(hash_at(100));
    let told = |status: &CoinStatus| {
        let problem = status.daemons[0].problem.as_deref();
        problem.is_some_and(|words| words.contains("which is no daemon's tip"))
    };
    master.status("refused", told);
    assert_eq!(master.works.iter().filter(|(work, _)| work.previous != hash_at(100)).count(), 0);
}

#[test]
fn a_daemon_that_cannot_tell_of_addresses_is_told_of() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let tells = chain.clone();
    let daemon = stub::daemon(move |method, body| match method {
        "validateaddress" => rpc(-32603),
        _ => tells.answer(method, body),
    });
    let mut master = Master::start(dir.path(), pool(vec![daemon]));
    let told = |status: &CoinStatus| {
        let problem = status.daemons[0].problem.as_deref();
        problem.is_some_and(|words| words.contains("validateaddress: error -32603"))
    };
    master.status("told", told);
}

#[test]
fn a_pool_may_leave_the_doctor_out() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    chain.change(|state| state.objection = "\"bad-cb-amount\"");
    let mut master =
        Master::start(dir.path(), Pool { doctor: false, ..pool(vec![chain.daemon()]) });
    master.work_on(hash_at(100));
}

#[test]
fn a_wrong_address_at_one_daemon_leaves_the_other_working() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Chain::new(100), Chain::new(100));
    first.change(|state| state.address = r#"{"isvalid":false}"#);
    let mut master = Master::start(dir.path(), pool(vec![first.daemon(), second.daemon()]));
    master.work_on(hash_at(100));
    master.status("the second", |status| status.daemons[1].chosen);
}

/// D7: two tips of one height, ten times a second.
#[test]
fn a_flipping_daemon_makes_few_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let flips = stub::daemon(move |method, _| {
        let turn = begun.elapsed().as_millis() / 50 % 2;
        let tip = if turn == 0 { "aa" } else { "bb" }.repeat(32);
        match method {
            "getblockchaininfo" => Answer::Result(format!(
                r#"{{"chain":"regtest","blocks":100,"headers":100,"bestblockhash":"{tip}"}}"#
            )),
            "validateaddress" => {
                Answer::Result(r#"{"isvalid":true,"scriptPubKey":"51"}"#.to_owned())
            }
            "getblocktemplate" => Answer::Result(format!(
                r#"{{"version":4,"previousblockhash":"{tip}","transactions":[],"coinbasevalue":1,
                    "curtime":1700000000,"bits":"207fffff","height":101}}"#
            )),
            _ => rpc(-32601),
        }
    });
    let often = Pool { block_refresh: Duration::from_millis(10), ..pool(vec![flips]) };
    let mut master = Master::start(dir.path(), often);
    master.until("two jobs", |master| (master.works.len() >= 2).then_some(()));
    let (start, before) = (Instant::now(), master.works.len());
    master.until("two seconds", |_| (start.elapsed() > Duration::from_secs(2)).then_some(()));
    let jobs = (master.works.len() - before) as f64;
    // One may be ahead of its time.
    assert!(jobs <= 5.0 * start.elapsed().as_secs_f64() + 1.0, "{jobs} jobs");
}
