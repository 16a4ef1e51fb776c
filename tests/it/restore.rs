//! The drill of the runbook (docs/operations.md): the machine is lost, and the pool goes on
//! elsewhere, from a backup that was made while it ran.

use crate::harness::{Client, alone, is_alive, kill, seconds, wait_until};
use crate::payments::{Scene, Work, add, split, submit};
use nix::sys::signal::Signal;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a line of the runbook in a shell.
fn sh(folder: &Path, line: &str) {
    let output = Command::new("sh").args(["-ec", line]).current_dir(folder).output().expect("sh");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Lines of the runbook's code block below a heading.
fn lines_below(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(path).expect("the runbook");
    let (_, below) = text.split_once(heading).unwrap_or_else(|| panic!("no `{heading}`"));
    let is_code = |line: &&str| line.starts_with("    ");
    let code = below.lines().skip_while(|line| !is_code(line)).take_while(is_code);
    code.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_lost_machine_is_restored_from_its_backup_and_the_books_balance() {
    let _alone = alone();
    let mut scene = Scene::open(6, |_, pool| pool);
    let (work, first) = scene.round(&scene.addresses, 3);
    scene.bury(101);
    let mut rewards = scene.value_of(&first);
    let mut owed = split(rewards, &work);
    scene.settle(rewards, 0);
    let before = scene.audit();
    // A block that is too young to be paid, and work after it.
    let (work, young) = scene.round(&scene.addresses[..4], 2);
    rewards += scene.value_of(&young);
    add(&mut owed, &split(scene.value_of(&young), &work));
    let worker = scene.addresses[4].clone();
    let mut client = Client::login(scene.ports[0], &worker).expect("login").scrypt();
    let mut work: Work = [(scene.script(&worker), submit(&mut client, false))].into();

    let (data, copy) = (scene.romp.path().join("data"), scene.romp.path().join("copy"));
    sh(&data, &lines_below("### Backup\n").replace("BACKUP", "../copy"));

    // The machine is lost, with everything on it.
    let children = scene.romp.children();
    scene.romp.process().signal(Signal::SIGKILL);
    children.iter().for_each(|&pid| kill(pid, Signal::SIGKILL));
    wait_until("their end", seconds(20), || !children.iter().any(|&pid| is_alive(pid)));
    scene.romp.process().wait("the master's end", seconds(30));
    fs::remove_dir_all(&data).expect("removed");
    let elsewhere = scene.romp.path().join("elsewhere");
    scene.romp.set("dataDir", Some(json!("elsewhere")));
    fs::create_dir(&elsewhere).expect("a folder");
    let restore = lines_below("### Restore on another machine\n");
    sh(&elsewhere, &restore.replace("BACKUP", &copy.display().to_string()));
    // A book that is missing balances, too: with nothing in it.
    assert_eq!(scene.audit()["rewards"], before["rewards"]);
    scene.romp.run();
    scene.romp.wait_ready(1);
    scene.audit();

    // What was young is paid, and so is the work that had no block yet.
    let finder = scene.addresses[5].clone();
    let (share, last) = scene.block(scene.ports[0], &finder);
    *work.entry(scene.script(&finder)).or_default() += share;
    rewards += scene.value_of(&last);
    add(&mut owed, &split(scene.value_of(&last), &work));
    scene.bury(101);
    scene.settle(rewards, 0);
    for (address, script) in &scene.scripts {
        let received = scene.pair.second.must("getreceivedbyaddress", json!([address, 1]));
        let received = u128::from(crate::harness::to_satoshi(&received));
        assert_eq!(received, owed.get(script).copied().unwrap_or_default(), "{address}");
    }
}
