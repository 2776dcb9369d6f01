//! What the runs say together.

use crate::children::{Contender, Run};
use std::collections::BTreeMap;

/// All runs, per contender in the order of the rounds.
#[derive(Debug)]
pub(crate) struct Results {
    records: u64,
    runs: BTreeMap<Contender, Vec<Run>>,
    allocations: BTreeMap<Contender, f64>,
}

impl Results {
    pub(crate) fn new(records: u64) -> Self {
        Self { records, runs: BTreeMap::new(), allocations: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, contender: Contender, run: Run) {
        self.runs.entry(contender).or_default().push(run);
    }

    /// Takes the allocations of a run that is not timed.
    pub(crate) fn add_allocations(&mut self, contender: Contender, run: &Run) {
        self.allocations.extend(run.figures.allocations_per_record.map(|count| (contender, count)));
    }

    /// Prints the table as Markdown, best / median / worst in each cell, and the ratios.
    pub(crate) fn print(&self) {
        let rounds = self.runs.values().map(Vec::len).min().unwrap_or(0);
        println!("\n{} records a run, {rounds} rounds, best / median / worst\n", self.records);
        println!("| contender | CPU-s per M | M records/s | peak RSS, MB | allocations per record |");
        println!("|---|---|---|---|---|");
        for contender in self.runs.keys() {
            let cpu = Spread::of(&self.cpu(*contender), false);
            let rate = Spread::of(&self.column(*contender, |run| run.rate() / 1e6), true);
            let peak = Spread::of(&self.column(*contender, |run| run.figures.peak_rss as f64 / 1e6), false);
            let allocations = self.allocations.get(contender);
            let allocations = allocations.map_or_else(String::new, |count| format!("{count:.4}"));
            println!(
                "| {contender} | {} | {} | {} | {allocations} |",
                cpu.text(3),
                rate.text(2),
                peak.text(0)
            );
        }
        println!();
        let yardstick = self.cpu(Contender::Yardstick);
        for (name, other) in [("A/A", Contender::Again), ("framework", Contender::Framework)] {
            self.print_ratio(name, &yardstick, other);
        }
        let (all, reading) = (Spread::of(&yardstick, false), self.cpu(Contender::ReadOnly));
        if !reading.is_empty() {
            let share = 100.0 * Spread::of(&reading, false).median / all.median;
            println!("reading alone is {share:.0} % of the yardstick's CPU");
        }
    }

    fn print_ratio(&self, name: &str, yardstick: &[f64], other: Contender) {
        let cpu = self.cpu(other);
        if cpu.is_empty() {
            return;
        }
        let pairs: Vec<f64> = yardstick.iter().zip(&cpu).map(|(one, two)| two / one).collect();
        let ratio = Spread::of(&cpu, false).median / Spread::of(yardstick, false).median;
        let peak = |contender| Spread::of(&self.column(contender, |run| run.figures.peak_rss as f64), false);
        let memory = peak(other).median / peak(Contender::Yardstick).median;
        println!(
            "{name}: CPU {ratio:.3} of the yardstick's by medians, by pairs {}; peak RSS {memory:.2}",
            Spread::of(&pairs, false).text(3)
        );
    }

    fn cpu(&self, contender: Contender) -> Vec<f64> {
        self.column(contender, |run| run.figures.cpu_per_million())
    }

    fn column(&self, contender: Contender, figure: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.get(&contender).into_iter().flatten().map(figure).collect()
    }
}

/// Best, median and worst of some figures.
#[derive(Debug, PartialEq)]
struct Spread {
    best: f64,
    median: f64,
    worst: f64,
}

impl Spread {
    /// `more_is_better`: throughput; otherwise less is.
    fn of(figures: &[f64], more_is_better: bool) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        if more_is_better {
            sorted.reverse();
        }
        let (Some(&best), Some(&worst)) = (sorted.first(), sorted.last()) else {
            return Self { best: f64::NAN, median: f64::NAN, worst: f64::NAN };
        };
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Self { best, median: f64::midpoint(sorted[lower], sorted[upper]), worst }
    }

    fn text(&self, decimals: usize) -> String {
        format!("{:.decimals$} / {:.decimals$} / {:.decimals$}", self.best, self.median, self.worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 2.0, 10.0], false);
        assert_eq!(spread, Spread { best: 1.0, median: 3.0, worst: 10.0 });
        assert_eq!(Spread::of(&[1.0, 3.0, 2.0], true), Spread { best: 3.0, median: 2.0, worst: 1.0 });
    }
}
