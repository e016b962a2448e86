//! What the provider says is what it did: its list against its append-only file.

use super::inquiry::{Check, Inquiry};
use crate::books::Books;

pub(super) fn check(books: &Books) -> Check {
    let mut inquiry = Inquiry::of(
        "ledger",
        "the provider's list agrees with its own append-only ledger, in which no money moves as it must not",
    );
    let Some(ledger) = &books.ledger else {
        return inquiry.skipped("the provider's ledger is not at hand");
    };
    for impossible in &ledger.impossible {
        inquiry.broken(impossible);
    }
    for intent in &books.intents {
        let written = ledger.intents.get(&intent.id);
        inquiry.expect(written == Some(intent), || format!("listed as {intent:?}, written down as {written:?}"));
    }
    inquiry.expect(ledger.intents.len() == books.intents.len(), || {
        format!("{} intents are listed, {} written down", books.intents.len(), ledger.intents.len())
    });
    for (id, refunded) in &ledger.refunds {
        let said = ledger.intents.get(id).map(|intent| intent.amount_refunded);
        inquiry.expect(said == Some(*refunded), || {
            format!("the refunds of {id} add up to {refunded}, the intent says {said:?}")
        });
    }
    inquiry.done()
}

#[cfg(test)]
mod tests {
    use super::{super::evening, *};
    use crate::{books::Ledger, judge::Outcome};

    #[test]
    fn differences_are_found() {
        let broken = |change: fn(&mut Books, &mut Ledger)| {
            let (_, mut books) = evening::clean();
            let mut ledger = books.ledger.take().unwrap();
            change(&mut books, &mut ledger);
            check(&Books { ledger: Some(ledger), ..books }).outcome == Outcome::Broken
        };
        assert!(!broken(|_, _| {}));
        assert!(broken(|books, _| books.intents[0].amount_received -= 1));
        assert!(broken(|books, _| drop(books.intents.pop())));
        assert!(broken(|books, ledger| ledger.refunds.extend([(books.intents[0].id.clone(), 5)])));
        assert!(broken(|_, ledger| ledger.impossible.push("captured after it was cancelled".into())));
    }
}
