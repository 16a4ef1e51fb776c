//! Two coins on one worker: what the shares of one wait while those of the other pour in.

use super::clients::Load;
use super::scenarios::{Bench, check, latencies};
use std::time::Duration;

impl Bench {
    pub(crate) fn mixed(&mut self) {
        let mut scene = self.scene(&["sha256", "scrypt"], 1, 2);
        let (load, time) = (&mut scene.load, self.time(3, 15));
        let [calm, busy] = scene.server.ports[..] else { panic!("two coins") };
        load.connect(100, &[calm]);
        let mut flood = Load::new();
        flood.connect(100, &[busy]);
        load.trickle(300, time);
        let alone = load.take();
        check(&alone);
        let setting = "100 sha256 miners, 300 shares/s together".to_owned();
        self.report.add("mixed", setting, latencies(alone));
        // Two seconds more than the shares that are measured, one of them before.
        let pouring = time + Duration::from_secs(2);
        let flooding = std::thread::spawn(move || {
            flood.mine(8, pouring);
            flood.rest();
            flood.take()
        });
        load.listen(Duration::from_secs(1));
        load.trickle(300, time);
        let beside = load.take();
        check(&beside);
        let flood = flooding.join().expect("the flood");
        check(&flood);
        let mut figures = latencies(beside);
        figures.push(("scrypt shares/s", flood.accepted as f64 / pouring.as_secs_f64()));
        let setting = "the same, beside 100 scrypt miners with 8 shares in flight each".to_owned();
        self.report.add("mixed", setting, figures);
    }
}
