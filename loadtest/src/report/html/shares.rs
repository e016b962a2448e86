//! Parts of a whole as one bar.

use super::{
    plot::{self, Size},
    words,
};

/// The bar, and the room above it for the labels of wide parts.
const TOP: f64 = 4.0;
const BAR: f64 = 44.0;
/// A part narrower than this has no number in it; the legend beside has all of them.
const LABEL_LEAST: f64 = 46.0;

/// One part.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub name: &'static str,
    /// Its colour, by class.
    pub class: &'static str,
    pub count: u64,
    /// Of all, in percent.
    pub percent: f64,
}

/// Each count with its part of their sum.
pub(super) fn shares(counts: &[(&'static str, &'static str, usize)]) -> Vec<Share> {
    let whole: usize = counts.iter().map(|(_, _, count)| count).sum();
    let share = |count: usize| if whole == 0 { 0.0 } else { count as f64 / whole as f64 * 100.0 };
    let part = |(name, class, count): &(&'static str, &'static str, usize)| Share {
        name,
        class,
        count: *count as u64,
        percent: share(*count),
    };
    counts.iter().map(part).collect()
}

pub(super) fn draw(shares: &[Share], size: &Size) -> String {
    let size = Size { height: TOP * 2.0 + BAR, ..*size };
    let described: Vec<_> =
        shares.iter().map(|share| format!("{} {}", words::count(share.count), share.name)).collect();
    let mut svg = plot::open("fates", &size, "What became of the fans", &described.join(", "));
    let mut x = 0.0;
    for share in shares.iter().filter(|share| share.count > 0) {
        let width = size.width * share.percent / 100.0;
        plot::rectangle(&mut svg, share.class, (x, TOP), ((width - 1.5).max(1.0), BAR));
        if width >= LABEL_LEAST {
            let middle = (x + width / 2.0, TOP + BAR / 2.0 + 5.0);
            plot::text(&mut svg, "on-bar", "middle", middle, &words::count(share.count));
        }
        x += width;
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_a_whole_even_when_there_is_none() {
        let parts = shares(&[("bought", "a", 3), ("lost", "b", 1)]);
        assert_eq!((parts[0].percent, parts[1].percent), (75.0, 25.0));
        let none = shares(&[("bought", "a", 0)]);
        assert_eq!(none[0].percent, 0.0);
        assert!(!draw(&none, &plot::WIDE).contains("NaN"));
    }
}
