//! Which seats to offer a fan who leaves the choice to us. Pure: plain data in, candidates out.
//!
//! Rows come best first. A block is `quantity` seats side by side; one that leaves a single seat alone
//! between others is offered only when no other block exists, and seats apart only when no block does.
//! The caller tries the candidates in order, so several fans choosing at once do not fight for one block.

/// Seats next to each other, in walking order; an aisle ends a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) zone: String,
    pub(crate) seats: Vec<Spot>,
}

/// A seat in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    /// The seat's place in the event's order; indexes `free`.
    pub(crate) ordinal: u32,
    pub(crate) tier: String,
}

/// What the fan asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// Seats, at least 1.
    pub(crate) quantity: usize,
    pub(crate) tier: Option<&'a str>,
    pub(crate) zone: Option<&'a str>,
}

/// Up to `limit` choices of `wish.quantity` free seats, most wanted first; ordinals of one choice ascend.
/// Empty when fewer than that are free. An ordinal beyond `free` counts as taken.
pub(crate) fn candidates(rows: &[Row], free: &[bool], wish: Wish<'_>, limit: usize) -> Vec<Vec<u32>> {
    let runs: Vec<Run<'_>> = rows.iter().flat_map(|row| free_runs(row, free, wish)).collect();
    let (mut tidy, mut untidy) = (Vec::new(), Vec::new());
    for run in &runs {
        for start in starts(run.len(), wish.quantity) {
            let block = ordinals(&run[start..start + wish.quantity]);
            if leaves_single(run.len(), wish.quantity, start) { untidy.push(block) } else { tidy.push(block) }
        }
        if tidy.len() >= limit {
            break;
        }
    }
    tidy.append(&mut untidy);
    if tidy.is_empty() {
        tidy = apart(&runs, wish.quantity, limit);
    }
    tidy.truncate(limit);
    tidy
}

/// Neighbouring free seats of one tier.
type Run<'a> = &'a [Spot];

fn free_runs<'a>(row: &'a Row, free: &'a [bool], wish: Wish<'a>) -> impl Iterator<Item = Run<'a>> {
    let wanted_zone = wish.zone.is_none_or(|zone| zone == row.zone);
    let fits = move |spot: &Spot| {
        wanted_zone
            && free.get(spot.ordinal as usize).copied().unwrap_or(false)
            && wish.tier.is_none_or(|tier| tier == spot.tier)
    };
    row.seats
        .chunk_by(move |one, next| fits(one) == fits(next) && one.tier == next.tier)
        .filter(move |run| run.first().is_some_and(fits))
}

/// Where blocks may start in a run: side by side from its beginning, and the one that ends with it.
fn starts(length: usize, quantity: usize) -> impl Iterator<Item = usize> {
    let last = length.checked_sub(quantity);
    let tiles = last.into_iter().flat_map(move |last| (0..=last).step_by(quantity.max(1)));
    let flush = last.filter(move |last| last % quantity.max(1) != 0);
    tiles.chain(flush)
}

fn leaves_single(length: usize, quantity: usize, start: usize) -> bool {
    start == 1 || length - quantity - start == 1
}

/// No block is left: as few pieces as possible, the longest runs first, each candidate from another run on.
fn apart(runs: &[Run<'_>], quantity: usize, limit: usize) -> Vec<Vec<u32>> {
    if runs.iter().map(|run| run.len()).sum::<usize>() < quantity {
        return Vec::new();
    }
    let mut longest: Vec<Run<'_>> = runs.to_vec();
    longest.sort_by_key(|run| std::cmp::Reverse(run.len())); // stable: better rows stay ahead
    (0..longest.len().min(limit))
        .map(|first| {
            let from_here = longest[first..].iter().chain(&longest[..first]);
            let spots: Vec<Spot> = from_here.flat_map(|run| run.iter()).take(quantity).cloned().collect();
            ordinals(&spots)
        })
        .collect()
}

fn ordinals(spots: &[Spot]) -> Vec<u32> {
    let mut ordinals: Vec<u32> = spots.iter().map(|spot| spot.ordinal).collect();
    ordinals.sort_unstable();
    ordinals
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows drawn as text: `.` free, `x` taken; zone `z0`, `z1`, … by row, tier `a` in even rows, `b` in odd ones.
    fn hall(rows: &[&str]) -> (Vec<Row>, Vec<bool>) {
        let (mut hall, mut free) = (Vec::new(), Vec::new());
        for (index, row) in rows.iter().enumerate() {
            let tier = if index % 2 == 0 { "a" } else { "b" };
            let mut seats = Vec::new();
            for seat in row.chars() {
                seats.push(Spot { ordinal: u32::try_from(free.len()).unwrap(), tier: tier.to_owned() });
                free.push(seat == '.');
            }
            hall.push(Row { zone: format!("z{index}"), seats });
        }
        (hall, free)
    }

    fn any(quantity: usize) -> Wish<'static> {
        Wish { quantity, tier: None, zone: None }
    }

    fn first(rows: &[&str], wish: Wish<'_>) -> Option<Vec<u32>> {
        let (rows, free) = hall(rows);
        candidates(&rows, &free, wish, 16).into_iter().next()
    }

    #[test]
    fn the_best_row_wins() {
        assert_eq!(first(&["....", "...."], any(2)), Some(vec![0, 1]));
        assert_eq!(first(&["x...x", "....."], any(3)), Some(vec![1, 2, 3]));
    }

    #[test]
    fn no_single_is_left_alone_while_another_row_avoids_it() {
        assert_eq!(first(&["...", "...."], any(2)), Some(vec![3, 4]));
        assert_eq!(first(&["..."], any(2)), Some(vec![0, 1]), "unavoidable");
        assert_eq!(first(&["..", "."], any(1)), Some(vec![2]), "an only seat is filled first");
    }

    #[test]
    fn tier_and_zone_are_obeyed() {
        assert_eq!(first(&["....", "...."], Wish { quantity: 2, tier: Some("b"), zone: None }), Some(vec![4, 5]));
        assert_eq!(first(&["....", "...."], Wish { quantity: 2, tier: None, zone: Some("z1") }), Some(vec![4, 5]));
        assert_eq!(first(&["...."], Wish { quantity: 2, tier: Some("b"), zone: None }), None);
        assert_eq!(first(&["...."], Wish { quantity: 2, tier: None, zone: Some("z7") }), None);
    }

    #[test]
    fn seats_apart_are_better_than_none() {
        assert_eq!(first(&[".x.x", "..x."], any(3)), Some(vec![0, 4, 5]));
        assert_eq!(first(&[".x.x"], any(3)), None);
    }

    proptest! {
        #[test]
        fn what_is_offered_holds(
            rows in prop::collection::vec("[.x]{0,12}", 0..8),
            quantity in 1_usize..7,
            limit in 1_usize..20,
        ) {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let (hall, free) = hall(&rows);
            let offers = candidates(&hall, &free, any(quantity), limit);
            prop_assert!(offers.len() <= limit);
            for offer in &offers {
                prop_assert_eq!(offer.len(), quantity);
                prop_assert!(offer.windows(2).all(|pair| pair[0] < pair[1]), "distinct and in order");
                prop_assert!(offer.iter().all(|&seat| free[seat as usize]), "never a taken seat");
            }
            prop_assert_eq!(offers.is_empty(), free.iter().filter(|free| **free).count() < quantity);

            let runs: Vec<usize> = rows.iter().flat_map(|row| row.split('x').map(str::len)).collect();
            if runs.iter().any(|&run| run >= quantity) {
                for offer in &offers {
                    prop_assert_eq!(offer[quantity - 1] - offer[0], u32::try_from(quantity).unwrap() - 1, "adjacent");
                    let in_one_row = hall.iter().any(|row| row.seats.iter().any(|s| s.ordinal == offer[0])
                        && row.seats.iter().any(|s| s.ordinal == offer[quantity - 1]));
                    prop_assert!(in_one_row);
                }
            }
            if runs.iter().any(|&run| run >= quantity && run != quantity + 1) {
                let alone = |seat: i64| {
                    let seats: Vec<i64> = offers[0].iter().map(|&seat| i64::from(seat)).collect();
                    let row = hall.iter().find(|row| row.seats.iter().any(|s| i64::from(s.ordinal) == seat));
                    let Some(row) = row else { return false };
                    let open = |other: i64| row.seats.iter().any(|s| i64::from(s.ordinal) == other)
                        && free[usize::try_from(other).unwrap()] && !seats.contains(&other);
                    open(seat) && !open(seat - 1) && !open(seat + 1)
                };
                let (low, high) = (i64::from(offers[0][0]), i64::from(offers[0][quantity - 1]));
                let same_row = |a: i64, b: i64| hall.iter().any(|row| row.seats.iter().any(|s| i64::from(s.ordinal) == a)
                    && row.seats.iter().any(|s| i64::from(s.ordinal) == b));
                prop_assert!(!(same_row(low - 1, low) && alone(low - 1)), "no single to the left");
                prop_assert!(!(same_row(high + 1, high) && alone(high + 1)), "no single to the right");
            }
        }
    }
}
