//! Prometheus's text format, as far as it is needed.

use crate::ipc::histogram::{BOUNDS_US, Times};
use std::fmt::Write as _;

/// A family of samples: all of one name stand together.
pub(super) struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    /// Begins one. `kind`: `gauge`, `counter` or `histogram`.
    pub(super) fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    /// One number.
    pub(super) fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, None, value);
    }

    /// The number of each that has one.
    pub(super) fn put_each<'l, const N: usize>(
        mut self,
        each: impl Iterator<Item = ([(&'l str, &'l str); N], Option<f64>)>,
    ) {
        for (labels, value) in each {
            if let Some(value) = value {
                self.put(&labels, value);
            }
        }
    }

    /// A histogram's buckets, each with all that are below its bound; their number; their sum.
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(super) fn put_times(&mut self, labels: &[(&str, &str)], times: &Times) {
        let bounds = BOUNDS_US.iter().map(|us| (*us as f64 / 1e6).to_string());
        let mut below = 0;
        for (count, bound) in times.buckets.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            below += count;
            self.line("_bucket", labels, Some(&bound), below as f64);
        }
        self.line("_sum", labels, None, times.sum_us as f64 / 1e6);
        self.line("_count", labels, None, below as f64);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
        let _ = write!(self.out, "{}{suffix}", self.name);
        let labels = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut before = '{';
        for (key, value) in labels.filter(|(_, value)| !value.is_empty()) {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.out, "{before}{key}=\"{escaped}\"");
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(self.out, "{end} {value}");
    }
}
