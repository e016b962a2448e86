//! The plots of an evening, each with a sentence and with its figures as a table.

use super::{
    axis::Axis,
    plot::{Mark, NARROW, Plot, WIDE},
    words,
};
use crate::{
    judge::tokens_a_second_most,
    report::{Report, latency::Latency, series::Series},
};

/// Columns and points of a plot at most; a longer evening is drawn in steps of several seconds.
const POINTS_MOST: usize = 300;
/// Rows of a table at most.
const ROWS_MOST: usize = 24;
/// A capacity so many times what was sold is left out of the drawing: beside it the sales would be a flat line.
const CAPACITY_FAR: u64 = 3;

/// Ready for the page.
#[derive(Debug)]
pub(super) struct Figure {
    pub title: String,
    pub said: String,
    pub wide: String,
    pub narrow: String,
    pub table: Table,
}

#[derive(Debug)]
pub(super) struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// All plots over time, in the order in which things happen to a fan, then the waits.
pub(super) fn all(report: &Report) -> Vec<Figure> {
    let end_s = end_s(report);
    vec![
        arrivals(report, end_s),
        line(report, end_s),
        tokens(report, end_s),
        inside(report, end_s),
        sales(report, end_s),
        waits(report),
    ]
}

/// The run's length in whole seconds, so that all axes of time agree.
fn end_s(report: &Report) -> usize {
    let series = &report.series;
    let lengths = [series.joins.len(), series.tokens.len(), series.waiting.len(), series.sold.len()];
    let took = report.setting.took_s.ceil().max(1.0) as usize;
    lengths.into_iter().fold(took, usize::max)
}

fn arrivals(report: &Report, end_s: usize) -> Figure {
    let joins = &report.joins;
    let columns = columns(&report.series.joins);
    let most = most(&columns);
    let said = format!(
        "{} joined within {}, at most {} in a full second.",
        words::count(joins.joined as u64),
        words::duration(joins.within_s * 1e3),
        words::figure(most)
    );
    let plot = over_time("arrivals", "Arrivals", &said, "joins answered in a second", end_s);
    figure(
        Plot { y: Axis::Count { most }, marks: vec![Mark::Columns { columns }], ..plot },
        said,
        counts_table("joined", &report.series.joins, end_s),
    )
}

fn line(report: &Report, end_s: usize) -> Figure {
    let waiting = &report.series.waiting;
    let longest = waiting.iter().flatten().max().copied().unwrap_or(0);
    let said = format!(
        "{} fans stood in it at its longest. Who goes silent keeps the place, until called past or to the end.",
        words::count(longest)
    );
    let plot = over_time("line", "The line", &said, "fans in line", end_s);
    looked_at(plot, said, waiting, longest, end_s)
}

fn inside(report: &Report, end_s: usize) -> Figure {
    let active = &report.series.active;
    let most = active.iter().flatten().max().copied().unwrap_or(0);
    let said = format!("Admitted and not done yet: {} at most at the same time.", words::count(most));
    let plot = over_time("inside", "In the shop", &said, "fans inside", end_s);
    looked_at(plot, said, active, most, end_s)
}

/// A plot of what was seen by looking now and then.
fn looked_at(plot: Plot, said: String, values: &[Option<u64>], most: u64, end_s: usize) -> Figure {
    let table = table(&["at", &plot.y_title], end_s, |_, to| {
        let seen = values[..to.min(values.len())].last().copied().flatten();
        vec![seen.map_or_else(|| "–".to_owned(), words::count)]
    });
    let marks = vec![Mark::Area { runs: runs(values) }];
    figure(Plot { y: Axis::Count { most: most as f64 }, marks, ..plot }, said, table)
}

fn tokens(report: &Report, end_s: usize) -> Figure {
    let rates = rates(&report.series, report.setting.rate_per_minute, end_s);
    let bound = |rate: u32| tokens_a_second_most(rate) as f64;
    let columns = columns(&report.series.tokens);
    let highest = rates.iter().copied().max().unwrap_or(0);
    let most = most(&columns).max(bound(highest));
    let busiest = report.series.tokens.iter().max().copied().unwrap_or(0);
    let said = format!(
        "At most {} in a full second; the rate is {} a second, rate and burst together {}.",
        words::count(busiest),
        words::figure(f64::from(highest) / 60.0),
        words::figure(bound(highest))
    );
    let limit = |name: &str, above, height: &dyn Fn(u32) -> f64| Mark::Limit {
        points: steps(&rates, height),
        name: name.to_owned(),
        above,
    };
    let marks = vec![
        Mark::Columns { columns },
        limit("rate + burst", true, &bound),
        limit("rate", false, &|rate| f64::from(rate) / 60.0),
    ];
    let plot = over_time("tokens", "Tokens granted", &said, "tokens granted in a second", end_s);
    figure(Plot { y: Axis::Count { most }, marks, ..plot }, said, counts_table("granted", &report.series.tokens, end_s))
}

fn sales(report: &Report, end_s: usize) -> Figure {
    let sold = &report.series.sold;
    let capacity = report.counts.capacity as u64;
    let last = sold.last().copied().unwrap_or(0);
    let said = format!("{} of {} tickets sold.", words::count(last), words::count(capacity));
    let step = step_of(sold.len());
    let mut points: Vec<(f64, f64)> = (0..sold.len())
        .step_by(step)
        .map(|second| ((second + 1) as f64, sold[second] as f64))
        .chain((!sold.is_empty()).then_some((sold.len() as f64, last as f64)))
        .collect();
    if !points.is_empty() {
        points.insert(0, (0.0, 0.0));
        points.push((end_s as f64, last as f64));
    }
    let ends = [(0.0, capacity as f64), (end_s as f64, capacity as f64)];
    let is_far = capacity > last * CAPACITY_FAR;
    let mut marks = vec![Mark::Area { runs: vec![points] }];
    if !is_far {
        marks.push(Mark::Limit { points: ends.to_vec(), name: "capacity".to_owned(), above: true });
    }
    let table = table(&["at", "sold"], end_s, |_, to| {
        let by_then = sold[..to.min(sold.len())].last().copied().unwrap_or(0);
        vec![words::count(by_then)]
    });
    let plot = over_time("sales", "Sales", &said, "tickets sold", end_s);
    // a hair above, so that the name of the limit has room
    let most = if is_far { last } else { last.max(capacity) } as f64 * 1.05;
    figure(Plot { y: Axis::Count { most }, marks, ..plot }, said, table)
}

fn waits(report: &Report) -> Figure {
    let waits = &report.waits;
    let edge = |bin: usize| bin as f64 * waits.bin_s;
    let columns: Vec<_> =
        (0..).zip(&waits.counts).map(|(bin, count)| (edge(bin), edge(bin + 1), *count as f64)).collect();
    let most_s = edge(waits.counts.len());
    let row = report.latency(super::WAITED);
    let said = match row {
        Some(row) => format!(
            "From joined to admitted: half within {}, nine of ten within {}, the last after {}.",
            words::duration(row.p50_ms),
            words::duration(row.p90_ms),
            words::duration(row.max_ms)
        ),
        None => "Nobody was admitted.".to_owned(),
    };
    let post = |name: &str, ms: f64| Mark::Post { x: ms / 1e3, name: name.to_owned() };
    let mut marks = vec![Mark::Columns { columns: columns.clone() }];
    marks.extend(row.into_iter().flat_map(|row: &Latency| [post("p50", row.p50_ms), post("p90", row.p90_ms)]));
    let plot = Plot {
        id: "waits",
        title: "Waits".to_owned(),
        described: said.clone(),
        x_title: format!("waited, {}", Axis::time_unit(most_s)),
        y_title: format!("fans, in steps of {} s", words::figure(waits.bin_s)),
        x: Axis::Time { most_s },
        y: Axis::Count { most: most(&columns) },
        marks,
    };
    let rows = columns.iter().map(|(from, to, count)| {
        vec![format!("{} to {} s", words::figure(*from), words::figure(*to)), words::figure(*count)]
    });
    figure(plot, said, Table { head: owned(&["waited", "fans"]), rows: rows.collect() })
}

/// The frame that all plots over time share.
fn over_time(id: &'static str, title: &str, described: &str, y_title: &str, end_s: usize) -> Plot {
    let most_s = end_s as f64;
    let step = step_of(end_s);
    let y_title = if step > 1 { format!("{y_title} (drawn in steps of {step} s)") } else { y_title.to_owned() };
    Plot {
        id,
        title: title.to_owned(),
        described: described.to_owned(),
        x_title: format!("since the start, {}", Axis::time_unit(most_s)),
        y_title,
        x: Axis::Time { most_s },
        y: Axis::Count { most: 0.0 },
        marks: Vec::new(),
    }
}

fn figure(plot: Plot, said: String, table: Table) -> Figure {
    Figure { wide: plot.draw(&WIDE), narrow: plot.draw(&NARROW), title: plot.title, said, table }
}

/// Seconds drawn as one.
fn step_of(seconds: usize) -> usize {
    seconds.div_ceil(POINTS_MOST).max(1)
}

/// Counts a second as columns; where several seconds are one column, the highest of them.
fn columns(counts: &[u64]) -> Vec<(f64, f64, f64)> {
    let step = step_of(counts.len());
    (0..)
        .zip(counts.chunks(step))
        .map(|(index, chunk)| {
            let from = index * step;
            let highest = chunk.iter().max().copied().unwrap_or(0);
            (from as f64, (from + chunk.len()) as f64, highest as f64)
        })
        .collect()
}

fn most(columns: &[(f64, f64, f64)]) -> f64 {
    columns.iter().map(|(_, _, height)| *height).fold(0.0, f64::max)
}

/// Values a second as runs of points; a second without a value ends a run.
fn runs(values: &[Option<u64>]) -> Vec<Vec<(f64, f64)>> {
    let step = step_of(values.len());
    let mut runs = vec![Vec::new()];
    for (index, chunk) in (0..).zip(values.chunks(step)) {
        match (chunk.iter().rev().flatten().next(), runs.last_mut()) {
            (Some(value), Some(run)) => run.push(((index * step + chunk.len()) as f64, *value as f64)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The rate in force in each second: as it was last seen, or as it was first; else as the books have it.
fn rates(series: &Series, otherwise: u32, end_s: usize) -> Vec<u32> {
    let seen = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let mut now = series.rate_per_minute.iter().flatten().next().copied().map_or(otherwise, seen);
    (0..end_s)
        .map(|second| {
            now = series.rate_per_minute.get(second).copied().flatten().map_or(now, seen);
            now
        })
        .collect()
}

/// A line in steps, a point at either end of each.
fn steps(rates: &[u32], height: &dyn Fn(u32) -> f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (second, rate) in rates.iter().enumerate() {
        let y = height(*rate);
        match points.last_mut() {
            Some(last) if last.1 == y => last.0 = (second + 1) as f64,
            _ => points.extend([(second as f64, y), ((second + 1) as f64, y)]),
        }
    }
    points
}

/// Rows of `step` seconds each, with cells for the seconds `from..to`.
fn table(head: &[&str], end_s: usize, cells: impl Fn(usize, usize) -> Vec<String>) -> Table {
    let step = end_s.div_ceil(ROWS_MOST).max(1);
    let rows = (0..end_s).step_by(step).map(|from| {
        let to = (from + step).min(end_s);
        let mut row = vec![words::clock(to as f64)];
        row.extend(cells(from, to));
        row
    });
    Table { head: owned(head), rows: rows.collect() }
}

fn counts_table(what: &str, counts: &[u64], end_s: usize) -> Table {
    table(&["until", what, "most in a second"], end_s, |from, to| {
        let seconds = &counts[from.min(counts.len())..to.min(counts.len())];
        vec![words::count(seconds.iter().sum()), words::count(seconds.iter().max().copied().unwrap_or(0))]
    })
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_evening_is_drawn_in_steps_and_keeps_its_peaks() {
        let mut counts = vec![1; 3_000];
        counts[1_234] = 77;
        let columns = columns(&counts);
        assert_eq!(columns.len(), 300);
        assert_eq!(most(&columns), 77.0);
        assert_eq!(columns.last().map(|(_, to, _)| *to), Some(3_000.0));
        assert!(super::columns(&[]).is_empty());
        assert_eq!(super::columns(&[4]), [(0.0, 1.0, 4.0)]);
    }

    #[test]
    fn a_gap_in_what_was_seen_is_a_gap_in_the_line() {
        assert_eq!(runs(&[Some(5), Some(4), None, Some(1)]), [vec![(1.0, 5.0), (2.0, 4.0)], vec![(4.0, 1.0)]]);
        assert!(runs(&[]).is_empty() && runs(&[None]).is_empty());
    }

    #[test]
    fn the_rate_is_a_line_in_steps() {
        let series = Series { rate_per_minute: vec![None, Some(60), None, Some(120)], ..Series::default() };
        let rates = rates(&series, 600, 5);
        assert_eq!(rates, [60, 60, 60, 120, 120]);
        assert_eq!(steps(&rates, &|rate| f64::from(rate) / 60.0), [(0.0, 1.0), (3.0, 1.0), (3.0, 2.0), (5.0, 2.0)]);
        assert_eq!(super::rates(&Series::default(), 600, 1), [600]);
        assert!(steps(&[], &f64::from).is_empty());
    }

    #[test]
    fn a_table_has_rows_enough_to_read() {
        let table = counts_table("granted", &[3, 1, 0, 2], 100);
        assert!(table.rows.len() <= ROWS_MOST);
        assert_eq!(table.rows[0], ["0:05", "6", "3"]);
        assert_eq!(table.rows.last().unwrap(), &["1:40", "0", "0"]);
    }
}
