//! Which part of a list is asked for, newest first: a limit, a cursor on either side, and a range of creation times.
//! <https://docs.stripe.com/api/pagination>

use jiff::Timestamp;

use super::{error::ApiError, form::Form};

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Query {
    limit: usize,
    cursor: Option<Cursor>,
    created: Range,
}

#[derive(Debug, PartialEq)]
enum Cursor {
    /// Older than this one.
    After(String),
    /// Newer than this one, the nearest first taken.
    Before(String),
}

/// Seconds since 1970, both included.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: i64,
    to: i64,
}

/// The cursor names nothing there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSuch(pub(super) String);

impl Query {
    pub(super) fn take(form: &mut Form) -> Result<Self, ApiError> {
        let limit = match form.take("limit").map(|limit| limit.parse()) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
            Some(_) => return Err(ApiError::unfit("limit", "Invalid limit: must be an integer from 1 to 100.")),
        };
        let cursor = match (form.take("starting_after"), form.take("ending_before")) {
            (None, None) => None,
            (Some(id), None) => Some(Cursor::After(id)),
            (None, Some(id)) => Some(Cursor::Before(id)),
            (Some(_), Some(_)) => {
                let message = "You cannot parameterize by both `starting_after` and `ending_before`.";
                return Err(ApiError::unfit("starting_after", message));
            }
        };
        Ok(Self { limit, cursor, created: Range::take(form)? })
    }

    /// Positions of what belongs on the page, newest first, and whether there is more on the far side. Items are
    /// counted oldest first; `position` finds an id, `created` tells a time.
    pub(super) fn page(
        &self,
        count: usize,
        position: impl Fn(&str) -> Option<usize>,
        created: impl Fn(usize) -> Timestamp,
    ) -> Result<(Vec<usize>, bool), NoSuch> {
        let find = |id: &String| position(id).ok_or_else(|| NoSuch(id.clone()));
        let fits = |index: &usize| self.created.contains(created(*index));
        let one_more = self.limit + 1;
        let mut found: Vec<usize> = match &self.cursor {
            None => (0..count).rev().filter(fits).take(one_more).collect(),
            Some(Cursor::After(id)) => (0..find(id)?).rev().filter(fits).take(one_more).collect(),
            Some(Cursor::Before(id)) => (find(id)? + 1..count).filter(fits).take(one_more).collect(),
        };
        let has_more = found.len() == one_more;
        found.truncate(self.limit);
        if matches!(self.cursor, Some(Cursor::Before(_))) {
            found.reverse();
        }
        Ok((found, has_more))
    }
}

impl Range {
    /// `created=…`, or `created[gt]`, `[gte]`, `[lt]`, `[lte]`.
    fn take(form: &mut Form) -> Result<Self, ApiError> {
        let seconds = |text: &str| {
            let message = "Invalid created: must be a Unix timestamp in seconds.";
            text.parse::<i64>().map_err(|_| ApiError::unfit("created", message))
        };
        let mut range = Self { from: i64::MIN, to: i64::MAX };
        if let Some(exact) = form.take("created") {
            let exact = seconds(&exact)?;
            range = Self { from: exact, to: exact };
        }
        for (bound, text) in form.take_pairs("created") {
            let at = seconds(&text)?;
            match bound.as_str() {
                "gt" => range.from = range.from.max(at.saturating_add(1)),
                "gte" => range.from = range.from.max(at),
                "lt" => range.to = range.to.min(at.saturating_sub(1)),
                "lte" => range.to = range.to.min(at),
                _ => return Err(ApiError::unknown(&format!("created[{bound}]"))),
            }
        }
        Ok(range)
    }

    fn contains(self, time: Timestamp) -> bool {
        (self.from..=self.to).contains(&time.as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten items, made a second apart, the first at second 0.
    fn page(query: &str) -> Result<(Vec<usize>, bool), NoSuch> {
        let mut form = Form::parse(query.as_bytes());
        let query = Query::take(&mut form).expect("understood");
        form.done().expect("nothing left");
        let position = |id: &str| id.parse().ok().filter(|index| *index < 10);
        query
            .page(10, position, |index| Timestamp::from_second(i64::try_from(index).expect("small")).expect("in range"))
    }

    #[test]
    fn pages_go_both_ways() {
        assert_eq!(page("limit=3"), Ok((vec![9, 8, 7], true)));
        assert_eq!(page("limit=3&starting_after=7"), Ok((vec![6, 5, 4], true)));
        assert_eq!(page("limit=3&starting_after=3"), Ok((vec![2, 1, 0], false)));
        assert_eq!(page("limit=3&starting_after=0"), Ok((vec![], false)));
        assert_eq!(page("limit=3&ending_before=4"), Ok((vec![7, 6, 5], true)));
        assert_eq!(page("limit=3&ending_before=6"), Ok((vec![9, 8, 7], false)));
        assert_eq!(page("ending_before=9"), Ok((vec![], false)));
        assert_eq!(page("starting_after=10"), Err(NoSuch("10".to_owned())));
    }

    #[test]
    fn creation_times_are_told_apart_to_the_second() {
        assert_eq!(page("created[gte]=3&created[lte]=5"), Ok((vec![5, 4, 3], false)));
        assert_eq!(page("created[gt]=3&created[lt]=5"), Ok((vec![4], false)));
        assert_eq!(page("created=3"), Ok((vec![3], false)));
        assert_eq!(page("created[gte]=2&limit=3"), Ok((vec![9, 8, 7], true)));
        assert_eq!(page("created[gte]=2&limit=3&starting_after=5"), Ok((vec![4, 3, 2], false)));
        assert_eq!(page("created[gte]=5&created[lte]=3"), Ok((vec![], false)));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "limit=0",
            "limit=101",
            "limit=x",
            "created=x",
            "created[gte]=x",
            "created[ge]=1",
            "starting_after=1&ending_before=2",
        ] {
            assert!(Query::take(&mut Form::parse(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
