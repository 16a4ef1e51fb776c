//! What was measured, as a table to read and as JSON.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Figures of one setting: a unit or a name, and the value.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(String, String, Figures)>,
}

impl Report {
    /// Adds the figures of one setting and shows them.
    pub(crate) fn add(&mut self, what: &str, setting: String, figures: Figures) {
        println!("{}", line(what, &setting, &figures));
        self.rows.push((what.to_owned(), setting, figures));
    }

    /// Writes `bench.json` and `bench.txt` into a folder.
    pub(crate) fn save(&self, folder: &Path, machine: &str, command: &str) {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(what, setting, figures)| {
                let figures: Map<String, Value> = figures
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect();
                json!({"scenario": what, "setting": setting, "figures": figures})
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let all = json!({"machine": machine, "command": command, "version": version, "rows": rows});
        let mut text = format!("{command}\n{machine}\n\n");
        for (what, setting, figures) in &self.rows {
            let _ = writeln!(text, "{}", line(what, setting, figures));
        }
        std::fs::create_dir_all(folder).expect("the folder of results");
        std::fs::write(folder.join("bench.json"), format!("{all:#}\n")).expect("bench.json");
        std::fs::write(folder.join("bench.txt"), text).expect("bench.txt");
        println!("\nsaved in {}", folder.display());
    }
}

fn line(what: &str, setting: &str, figures: &[(&'static str, f64)]) -> String {
    let mut text = format!("{what:<8} {setting:<44}");
    for (name, value) in figures {
        let digits = if value.abs() >= 100.0 { 0 } else { 2 };
        let _ = write!(text, "  {name} {value:.digits$}");
    }
    text
}

/// The value below which a share of all lies; `values` are sorted.
pub(crate) fn percentile(values: &[u64], share: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    let place = ((last as f64) * share).round() as usize;
    values.get(place).copied().unwrap_or(0) as f64
}

/// Processor, number of cores, kernel.
pub(crate) fn machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split(':').nth(1)).unwrap_or("a processor").trim();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}
