//! Latencies: one row each from p50 to the longest, on an axis where each step is ten times as much.

use super::{
    plot::{self, Size},
    words,
};

/// Room for the names, and for a row.
const LEFT: f64 = 104.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 10.0;
const ROW: f64 = 26.0;
const BOTTOM: f64 = 44.0;
/// What the longest label of the axis takes.
const LABEL: f64 = 52.0;

/// One row, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub name: String,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

pub(super) fn draw(spans: &[Span], size: &Size) -> String {
    let height = TOP + ROW * spans.len() as f64 + BOTTOM;
    let size = Size { height, ..*size };
    let (least, most) = decades(spans);
    let bottom = height - BOTTOM;
    let x = |ms: f64| {
        let share = (ms.max(1e-3).log10() - f64::from(least)) / f64::from(most - least);
        LEFT + share.clamp(0.0, 1.0) * (size.width - LEFT - RIGHT)
    };
    let apart = (size.width - LEFT - RIGHT) / f64::from(most - least);
    let stride = if apart < LABEL { 2 } else { 1 };
    let mut svg = plot::open("latency", &size, "How long the calls took", &described(spans));
    for decade in least..=most {
        let ms = 10_f64.powi(decade);
        plot::line(&mut svg, "grid", (x(ms), TOP), (x(ms), bottom));
        // a label for every decade, or for every other where they would touch
        if (decade - least) % stride == 0 {
            plot::text(&mut svg, "tick", "middle", (x(ms), bottom + 18.0), &mark(decade));
        }
    }
    plot::text(&mut svg, "name", "end", (size.width - RIGHT, height - 6.0), "time, each step ten times as long");
    for (row, span) in spans.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        plot::text(&mut svg, "row", "end", (LEFT - 10.0, y + 4.0), &span.name);
        plot::line(&mut svg, "whisker", (x(span.p50_ms), y), (x(span.max_ms), y));
        plot::line(&mut svg, "whisker", (x(span.max_ms), y - 5.0), (x(span.max_ms), y + 5.0));
        let width = (x(span.p99_ms) - x(span.p50_ms)).max(2.0);
        plot::rectangle(&mut svg, "band-99", (x(span.p50_ms), y - 7.0), (width, 14.0));
        let width = (x(span.p90_ms) - x(span.p50_ms)).max(2.0);
        plot::rectangle(&mut svg, "band-90", (x(span.p50_ms), y - 7.0), (width, 14.0));
        plot::rectangle(&mut svg, "median", (x(span.p50_ms) - 1.5, y - 9.0), (3.0, 18.0));
    }
    svg.push_str("</svg>");
    svg
}

/// The powers of ten around all rows, in milliseconds; two at least.
fn decades(spans: &[Span]) -> (i32, i32) {
    let log = |ms: f64| ms.max(1e-2).log10();
    let least = spans.iter().map(|span| log(span.p50_ms)).fold(0.0, f64::min).floor() as i32;
    let most = spans.iter().map(|span| log(span.max_ms)).fold(1.0, f64::max).ceil() as i32;
    (least, most.max(least + 1))
}

/// A power of ten milliseconds, short.
fn mark(decade: i32) -> String {
    let ms = 10_f64.powi(decade);
    if decade < 3 { format!("{} ms", words::figure(ms)) } else { format!("{} s", words::figure(ms / 1e3)) }
}

fn described(spans: &[Span]) -> String {
    let rows = spans.iter().map(|span| {
        let (p50, p99) = (words::duration(span.p50_ms), words::duration(span.p99_ms));
        format!("{}: half within {p50}, 99 of 100 within {p99}", span.name)
    });
    rows.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_every_row() {
        let span = |p50_ms, max_ms| Span { name: "join".into(), p50_ms, p90_ms: p50_ms, p99_ms: max_ms, max_ms };
        assert_eq!(decades(&[span(2.0, 80.0)]), (0, 2));
        assert_eq!(decades(&[span(0.4, 12_000.0), span(5.0, 6.0)]), (-1, 5));
        assert_eq!(decades(&[]), (0, 1));
        assert_eq!([-1, 0, 2, 3, 4].map(mark), ["0.1 ms", "1 ms", "100 ms", "1 s", "10 s"]);
        assert!(draw(&[], &plot::WIDE).ends_with("</svg>"));
    }
}
