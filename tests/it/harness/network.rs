//! A network of a test's own: its addresses, its firewall.

use super::system;

/// Says inside that this is the inside.
const INSIDE: &str = "ROMP_TEST_NETWORK";

/// Runs a test, by its name with its module, once more in a network of its own, where loopback is up
/// and has 192.0.2.0/24 and 2001:db8:1:2::1 besides. `true` inside: the test goes on there. Outside
/// it has passed.
pub(crate) fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        for args in [
            &["link", "set", "lo", "up"][..],
            // On loopback the whole network is this machine.
            &["address", "add", "192.0.2.1/24", "dev", "lo"],
            &["address", "add", "2001:db8:1:2::1/128", "dev", "lo", "nodad"],
        ] {
            let status = system("ip").args(args).status().expect("ip (iproute2)");
            assert!(status.success(), "ip {args:?}");
        }
        return true;
    }
    let own = if nix::unistd::geteuid().is_root() { "--net" } else { "--map-root-user" };
    let output = system("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", own, "--"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .expect("unshare (util-linux)");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    let said = said.join("\n");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} in its own network (which needs root, or user namespaces):\n{said}"
    );
    false
}
