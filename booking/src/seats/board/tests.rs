use proptest::prelude::*;

use super::*;
use crate::seats::hall::Seat;

/// Rows drawn as text: `.` free, `x` taken, `w` a free wheelchair space, `c` a free companion's seat, a space an
/// aisle. Zone `z0`, `z1`, … by row; tier `a` at 100 in even rows, `b` at 50 in odd ones; a row is one metre further
/// from the stage than the one before, and its left end the middle of the hall.
fn hall(rows: &[&str]) -> (Hall, Vec<bool>) {
    let (mut drawn, mut free) = (Vec::new(), Vec::new());
    for (index, row) in rows.iter().enumerate() {
        let (tier, price) = if index % 2 == 0 { ("a", 100) } else { ("b", 50) };
        for part in row.split(' ') {
            let mut seats = Vec::new();
            for sign in part.chars() {
                let pool = match sign {
                    'w' => Pool::Accessible,
                    'c' => Pool::Companion,
                    _ => Pool::Open,
                };
                let ordinal = u32::try_from(free.len()).unwrap();
                let distance = u32::try_from(1_000 + index * 100 + seats.len()).unwrap();
                seats.push(Seat { ordinal, tier: tier.to_owned(), price, pool, distance });
                free.push(sign != 'x');
            }
            drawn.push((format!("z{index}"), seats));
        }
    }
    (Hall::new(true, drawn), free)
}

fn seats(quantity: usize) -> Wish {
    Wish { quantity, ..Wish::default() }
}

fn accessible(quantity: usize) -> Wish {
    Wish { quantity, is_accessible: true, ..Wish::default() }
}

fn chosen(rows: &[&str], wish: &Wish) -> Option<Vec<u32>> {
    let (hall, free) = hall(rows);
    Board::new(&hall, free, 0).choose(wish, Spread::default())
}

#[test]
fn the_nearest_block_wins() {
    assert_eq!(chosen(&["....", "...."], &seats(2)), Some(vec![0, 1]));
    assert_eq!(chosen(&["x...x", "....."], &seats(3)), Some(vec![1, 2, 3]));
    assert_eq!(chosen(&["xxx.", "...."], &seats(2)), Some(vec![4, 5]));
}

#[test]
fn where_a_hall_has_no_measures_the_first_row_and_its_middle_win() {
    let seat = |ordinal| Seat { ordinal, tier: "a".to_owned(), price: 100, pool: Pool::Open, distance: 0 };
    let rows = vec![("z".to_owned(), (0..7).map(seat).collect()), ("z".to_owned(), (7..14).map(seat).collect())];
    let hall = Hall::new(true, rows);
    let mut board = Board::new(&hall, vec![true; 14], 0);
    assert_eq!(board.choose(&seats(3), Spread::default()), Some(vec![2, 3, 4]));
    board.take(&[2, 3, 4]);
    assert_eq!(board.choose(&seats(2), Spread::default()), Some(vec![0, 1]));
}

#[test]
fn no_single_is_left_alone_while_another_row_avoids_it() {
    assert_eq!(chosen(&["...", "...."], &seats(2)), Some(vec![3, 4]));
    assert_eq!(chosen(&["...", "x.x"], &seats(2)), Some(vec![0, 1]), "the last buyers are not sent away");
    assert_eq!(chosen(&["..", "."], &seats(1)), Some(vec![2]), "an only seat is filled first");
    assert_eq!(chosen(&["....."], &seats(3)), Some(vec![0, 1, 2]));
    assert_eq!(chosen(&["x....x"], &seats(3)), Some(vec![1, 2, 3]), "unavoidable");
}

#[test]
fn tier_zone_and_ceiling_are_obeyed() {
    let rows = ["....", "...."];
    let wish = |tier: Option<&str>, zone: Option<&str>, max_price| Wish {
        quantity: 2,
        tier: tier.map(str::to_owned),
        zone: zone.map(str::to_owned),
        max_price,
        is_accessible: false,
    };
    assert_eq!(chosen(&rows, &wish(Some("b"), None, None)), Some(vec![4, 5]));
    assert_eq!(chosen(&rows, &wish(None, Some("z1"), None)), Some(vec![4, 5]));
    assert_eq!(chosen(&rows, &wish(None, None, Some(99))), Some(vec![4, 5]));
    assert_eq!(chosen(&rows, &wish(None, None, Some(100))), Some(vec![0, 1]));
    assert_eq!(chosen(&rows, &wish(None, None, Some(49))), None);
    assert_eq!(chosen(&rows, &wish(Some("a"), None, Some(99))), None);
    assert_eq!(chosen(&rows, &wish(None, Some("z7"), None)), None);
    assert_eq!(chosen(&["...."], &wish(Some("b"), None, None)), None);
}

#[test]
fn seats_apart_are_better_than_none() {
    assert_eq!(chosen(&[".x.x", "..x."], &seats(3)), Some(vec![0, 4, 5]));
    assert_eq!(chosen(&["...x..x."], &seats(4)), Some(vec![0, 1, 2, 7]), "the single goes first");
    assert_eq!(chosen(&[".x.x"], &seats(3)), None);
    assert_eq!(chosen(&[".. .."], &seats(3)), Some(vec![0, 1, 2]), "an aisle parts");
}

#[test]
fn protected_seats_go_to_those_they_are_kept_for() {
    assert_eq!(chosen(&["wcwc", "...."], &seats(2)), Some(vec![4, 5]));
    assert_eq!(chosen(&["wcwc"], &seats(1)), None);
    assert_eq!(chosen(&["..c."], &seats(3)), Some(vec![0, 1, 3]), "a companion's seat parts a block");
    assert_eq!(chosen(&["....", "cwcw"], &accessible(1)), Some(vec![5]));
    assert_eq!(chosen(&["....", "wwcw"], &accessible(2)), Some(vec![5, 6]), "one wheelchair space, not two");
    assert_eq!(chosen(&["..wc", "cwc."], &accessible(3)), Some(vec![4, 5, 6]), "companions' seats before others");
    assert_eq!(chosen(&["x.wc"], &accessible(3)), Some(vec![1, 2, 3]));
    assert_eq!(chosen(&["wcx...", "......"], &accessible(4)), Some(vec![0, 1, 6, 7]), "the others together");
    assert_eq!(chosen(&["....", "cc.."], &accessible(2)), None, "no companion without a wheelchair");
    assert_eq!(chosen(&["wxxc"], &accessible(2)), Some(vec![0, 3]));
}

#[test]
fn released_pools_are_everybodys() {
    let (hall, free) = hall(&["xxxx", "wcxx"]);
    let mut board = Board::new(&hall, free, 0);
    assert_eq!(board.choose(&seats(2), Spread::default()), None);
    board.release_pools();
    assert_eq!(board.choose(&seats(2), Spread::default()), Some(vec![4, 5]));
    assert_eq!(board.choose(&accessible(2), Spread::default()), Some(vec![4, 5]));
}

#[test]
fn a_block_knows_what_would_leave_a_single_beside_it() {
    let (hall, free) = hall(&["........", "x....", "..c..."]);
    let edges = |block: &[u32]| {
        let mut board = Board::new(&hall, free.clone(), 0);
        board.take(block);
        board.edges(block).iter().map(|edge| (edge.near, edge.beyond)).collect::<Vec<_>>()
    };
    assert_eq!(edges(&[3, 4]), [(2, Some(1)), (5, Some(6))]);
    assert_eq!(edges(&[0, 1]), [(2, Some(3))]);
    assert_eq!(edges(&[6, 7]), [(5, Some(4))]);
    assert_eq!(edges(&[1, 2]), [(3, Some(4))], "alone already: 0");
    assert_eq!(edges(&[9, 10]), [(8, None), (11, Some(12))], "taken, and might come free");
    assert_eq!(edges(&[17, 18]), [], "16 is alone, a companion's seat is none beside it");
    assert_eq!(edges(&[0, 2]), [], "apart");
}

#[test]
fn general_admission_begins_anywhere_and_ends_with_the_last_unit() {
    let unit = |ordinal, price| Seat { ordinal, tier: "general".to_owned(), price, pool: Pool::Open, distance: 0 };
    let hall = Hall::new(false, vec![(String::new(), (0..100).map(|ordinal| unit(ordinal, 10)).collect())]);
    let first = |salt| Board::new(&hall, vec![true; 100], salt).choose(&seats(1), Spread::default()).unwrap()[0];
    let begins: std::collections::HashSet<u32> = (0..20).map(first).collect();
    assert!(begins.len() > 10, "{begins:?}");

    let mut board = Board::new(&hall, vec![true; 100], 7);
    let mut sold = std::collections::HashSet::new();
    for _ in 0..33 {
        let units = board.choose(&seats(3), Spread::default()).unwrap();
        board.take(&units);
        sold.extend(units);
    }
    assert_eq!(sold.len(), 99);
    assert_eq!(board.choose(&seats(2), Spread::default()), None);
    let last = board.choose(&seats(1), Spread::default()).unwrap();
    assert!(sold.insert(last[0]));
}

/// Every block there is, found the slow way: `(leaves a single, distance, ordinals)`.
fn all_blocks(hall: &Hall, free: &[bool], quantity: usize) -> Vec<(bool, u64, Vec<u32>)> {
    let mut blocks = Vec::new();
    for row in &hall.rows {
        let open = |at: i64| {
            usize::try_from(at).ok().and_then(|at| row.spots.get(at)).is_some_and(|spot| free[spot.ordinal as usize])
        };
        for from in 0..row.spots.len() {
            let (first, end) = (i64::try_from(from).unwrap(), i64::try_from(from + quantity).unwrap());
            if (first..end).all(open) {
                let single = (open(first - 1) && !open(first - 2)) || (open(end) && !open(end + 1));
                blocks.push((single, row.distance(from, from + quantity), row.ordinals(from, from + quantity)));
            }
        }
    }
    blocks
}

proptest! {
    #[test]
    fn what_is_chosen_is_the_best_there_is(
        rows in prop::collection::vec("[.x ]{0,12}", 0..8),
        quantity in 1_usize..7,
        (salt, halvings) in (any::<u64>(), 0_u32..4),
    ) {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let (hall, free) = hall(&rows);
        let wish = seats(quantity);
        let blocks = all_blocks(&hall, &free, quantity);
        let choice = Board::new(&hall, free.clone(), salt).choose(&wish, Spread::default());
        prop_assert_eq!(choice.is_none(), free.iter().filter(|free| **free).count() < quantity);
        if let Some(choice) = &choice {
            prop_assert_eq!(choice.len(), quantity);
            prop_assert!(choice.windows(2).all(|pair| pair[0] < pair[1]), "distinct and in order");
            prop_assert!(choice.iter().all(|&seat| free[seat as usize]), "never a taken seat");
        }
        if let Some((single, distance, _)) = blocks.iter().min() {
            let chosen = blocks.iter().find(|(_, _, block)| Some(block) == choice.as_ref());
            let (left, far, _) = chosen.expect("a block while there is one");
            prop_assert_eq!((left, far), (single, distance));
        }
        // elsewhere may be further away, but it is a block, and leaves no single that the best one does not
        let spread = Board::new(&hall, free, salt).choose(&wish, Spread { salt, halvings });
        let elsewhere = blocks.iter().find(|(_, _, block)| Some(block) == spread.as_ref());
        prop_assert_eq!(elsewhere.map(|(single, ..)| *single), blocks.iter().min().map(|(single, ..)| *single));
    }

    #[test]
    fn parties_on_one_board_never_share_a_seat(
        rows in prop::collection::vec("[.xwc]{0,12}", 1..8),
        parties in prop::collection::vec((1_usize..6, any::<bool>()), 1..30),
    ) {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let (hall, mut free) = hall(&rows);
        let mut board = Board::new(&hall, free.clone(), 0);
        for (quantity, is_accessible) in parties {
            let wish = Wish { quantity, is_accessible, ..Wish::default() };
            let Some(choice) = board.choose(&wish, Spread::default()) else { continue };
            let pools: Vec<Pool> = choice
                .iter()
                .map(|&seat| {
                    let row = &hall.rows[hall.row_of(seat).unwrap()];
                    hall.kind(*row.spots.iter().find(|spot| spot.ordinal == seat).unwrap()).pool
                })
                .collect();
            prop_assert_eq!(pools.iter().all(|pool| *pool == Pool::Open), !is_accessible);
            prop_assert_eq!(pools.contains(&Pool::Accessible), is_accessible);
            for &seat in &choice {
                prop_assert!(std::mem::replace(&mut free[seat as usize], false), "twice");
            }
            board.take(&choice);
        }
    }
}
