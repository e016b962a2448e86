//! The index on disk: its fields, how an event becomes a document, and committing.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use jiff::civil;
use serde::{Deserialize, Serialize};
use tantivy::{
    IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term,
    directory::MmapDirectory,
    query::TermQuery,
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _,
    },
    tokenizer::{AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer},
};
use uuid::Uuid;

use super::SearchError;
use crate::catalogue::events::Event;

/// Changes when the fields or their meaning do: an index of another version is built anew.
const VERSION: u32 = 1;
/// Bytes of a word; longer ones are not words.
const WORD_BYTES_MAX: usize = 64;
/// Name of the analyser: words, lower case, no accents.
const FOLD: &str = "fold";

/// How far the index has read which database, stored with each commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    version: u32,
    /// Which database this is a copy of.
    pub(super) database: String,
    /// Changes of all transactions below this id are in.
    pub(super) through: u64,
}

impl Mark {
    pub(super) fn new(database: String, through: u64) -> Self {
        Self { version: VERSION, database, through }
    }
}

pub(super) struct Fields {
    pub(super) id: Field,
    /// The event as JSON, stored only.
    event: Field,
    /// Words of the name, the performers, the works and composers, and everything else.
    pub(super) name: Field,
    pub(super) performer: Field,
    pub(super) work: Field,
    pub(super) rest: Field,
    pub(super) venue: Field,
    /// Whole values in lower case without accents, to filter by.
    pub(super) category_key: Field,
    pub(super) city_key: Field,
    pub(super) venue_key: Field,
    pub(super) performer_key: Field,
    /// Whole values as they are shown, to count by.
    category_shown: Field,
    city_shown: Field,
    venue_shown: Field,
    /// Days since 1970.
    pub(super) day: Field,
    /// Date, time and id in one number to sort by: see [`order`].
    pub(super) order: Field,
}

/// Facets: the name in answers, and the field counted by.
pub(super) const FACETS: [&str; 3] = ["category", "city", "venue"];

pub(super) struct Index {
    inner: tantivy::Index,
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
    pub(super) fields: Fields,
    analyzer: TextAnalyzer,
    generation: AtomicU64,
    /// Held as long as the index is open: two processes must not share a folder.
    _lock: fs::File,
}

impl Index {
    pub(super) fn open(folder: &Path, writer_bytes: usize) -> anyhow::Result<Self> {
        let (schema, fields) = schema();
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let lock = lock(folder)?;
        let inner = match open_or_create(folder, &schema) {
            Ok(index) if is_current(&index) => index,
            outdated => {
                if let Err(error) = &outdated {
                    tracing::warn!(folder = %folder.display(), %error, "the search index cannot be used: building it anew");
                }
                drop(outdated);
                fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
                fs::create_dir_all(folder)?;
                open_or_create(folder, &schema)?
            }
        };
        let analyzer = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter)
            .build();
        inner.tokenizers().register(FOLD, analyzer.clone());
        let writer = inner.writer_with_num_threads(1, writer_bytes).context("opening the index for writing")?;
        let reader = inner.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self {
            inner,
            reader,
            writer: Mutex::new(writer),
            fields,
            analyzer,
            generation: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// What the last commit said about itself; `None` before the first.
    pub(super) fn mark(&self) -> Option<Mark> {
        mark(&self.inner)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn searcher(&self) -> tantivy::Searcher {
        self.reader.searcher()
    }

    /// The words of a text as the index knows them.
    pub(super) fn words(&self, text: &str) -> Vec<String> {
        let mut analyzer = self.analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        let mut words = Vec::new();
        stream.process(&mut |token| words.push(token.text.clone()));
        words
    }

    /// A whole value as filters compare it: its words, one space apart.
    pub(super) fn key(&self, value: &str) -> String {
        self.words(value).join(" ")
    }

    pub(super) fn event(&self, event_id: Uuid) -> Result<Option<Event>, SearchError> {
        let searcher = self.searcher();
        let term = Term::from_field_text(self.fields.id, &event_id.to_string());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let top = tantivy::collector::TopDocs::with_limit(1).order_by_score();
        match searcher.search(&query, &top)?.first() {
            Some((_, address)) => self.stored(&searcher.doc(*address)?).map(Some),
            None => Ok(None),
        }
    }

    /// The event a document was made of.
    pub(super) fn stored(&self, document: &TantivyDocument) -> Result<Event, SearchError> {
        let json = document.get_first(self.fields.event).and_then(|value| value.as_str()).unwrap_or_default();
        Ok(serde_json::from_str(json)?)
    }

    /// Puts events in, replacing what the index knew of them. Not visible before [`Index::commit`].
    pub(super) fn put(&self, events: &[Event]) -> Result<(), SearchError> {
        let writer = self.writer.lock().expect("no panic while held");
        for event in events {
            writer.delete_term(Term::from_field_text(self.fields.id, &event.event_id.to_string()));
            writer.add_document(self.document(event)?)?;
        }
        Ok(())
    }

    /// Forgets everything. Not visible before [`Index::commit`].
    pub(super) fn clear(&self) -> Result<(), SearchError> {
        self.writer.lock().expect("no panic while held").delete_all_documents()?;
        Ok(())
    }

    /// Makes what was put visible and lasting, and remembers how far it goes.
    pub(super) fn commit(&self, mark: &Mark) -> Result<(), SearchError> {
        let payload = serde_json::to_string(mark)?;
        let mut writer = self.writer.lock().expect("no panic while held");
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&payload);
        commit.commit()?;
        drop(writer);
        self.reader.reload()?;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn document(&self, event: &Event) -> Result<TantivyDocument, SearchError> {
        let f = &self.fields;
        let mut document = TantivyDocument::default();
        document.add_text(f.id, event.event_id.to_string());
        document.add_text(f.event, serde_json::to_string(event)?);
        document.add_text(f.name, &event.name);
        document.add_text(f.venue, &event.venue.name);
        for performer in &event.performers {
            document.add_text(f.performer, &performer.name);
            document.add_text(f.performer_key, self.key(&performer.name));
            document.add_text(f.rest, &performer.role);
        }
        for work in &event.works {
            document.add_text(f.work, &work.name);
            document.add_text(f.work, &work.composer);
        }
        let rest = [
            &event.venue.name,
            &event.venue.city,
            &event.venue.address,
            &event.series,
            &event.organizer,
            &event.keywords,
            &event.category,
            &event.description,
        ];
        for text in rest {
            document.add_text(f.rest, text);
        }
        // a year or a date is a word too
        document.add_text(f.rest, event.date.to_string());
        document.add_text(f.category_key, self.key(&event.category));
        document.add_text(f.city_key, self.key(&event.venue.city));
        document.add_text(f.venue_key, self.key(&event.venue.name));
        let shown = [
            (f.category_shown, &event.category),
            (f.city_shown, &event.venue.city),
            (f.venue_shown, &event.venue.name),
        ];
        for (field, value) in shown {
            if !value.is_empty() {
                document.add_text(field, value);
            }
        }
        document.add_i64(f.day, day(event.date));
        document.add_u64(f.order, order(event));
        Ok(document)
    }
}

/// Days since 1970.
pub(super) fn day(date: civil::Date) -> i64 {
    let days = (date - civil::date(1970, 1, 1)).get_days();
    i64::from(days)
}

/// Minutes since the year 1 in the upper 33 bits, 31 bits of the id below: a total order by
/// date that a cursor can name. An event without a time stands at the beginning of its day.
fn order(event: &Event) -> u64 {
    const DAYS_TO_1970: i64 = 719_162;
    let days = (day(event.date) + DAYS_TO_1970).max(0).unsigned_abs();
    let time = event.time.unwrap_or(civil::Time::midnight());
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let (_, id) = event.event_id.as_u64_pair();
    (days * 1_440 + minutes.unsigned_abs()) << 31 | id & 0x7fff_ffff
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let words = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default().set_tokenizer(FOLD).set_index_option(IndexRecordOption::WithFreqsAndPositions),
    );
    let shown = TextOptions::default().set_fast("raw");
    let fields = Fields {
        id: builder.add_text_field("id", STRING),
        event: builder.add_text_field("event", STORED),
        name: builder.add_text_field("name", words.clone()),
        performer: builder.add_text_field("performer", words.clone()),
        work: builder.add_text_field("work", words.clone()),
        rest: builder.add_text_field("rest", words.clone()),
        venue: builder.add_text_field("venue_words", words),
        category_key: builder.add_text_field("category_key", STRING),
        city_key: builder.add_text_field("city_key", STRING),
        venue_key: builder.add_text_field("venue_key", STRING),
        performer_key: builder.add_text_field("performer_key", STRING),
        category_shown: builder.add_text_field("category", shown.clone()),
        city_shown: builder.add_text_field("city", shown.clone()),
        venue_shown: builder.add_text_field("venue", shown),
        day: builder.add_i64_field("day", INDEXED | FAST),
        order: builder.add_u64_field("order", INDEXED | FAST),
    };
    (builder.build(), fields)
}

/// Locks the folder through a file beside it, since the folder itself may be emptied.
fn lock(folder: &Path) -> anyhow::Result<fs::File> {
    let path = folder.with_extension("lock");
    let file = fs::File::create(&path).with_context(|| format!("making {}", path.display()))?;
    file.try_lock().with_context(|| {
        format!("{} is open in another process: each needs a data directory of its own", folder.display())
    })?;
    Ok(file)
}

fn open_or_create(folder: &Path, schema: &Schema) -> tantivy::Result<tantivy::Index> {
    tantivy::Index::open_or_create(MmapDirectory::open(folder)?, schema.clone())
}

/// Whether the index was never written to or is of this version.
fn is_current(index: &tantivy::Index) -> bool {
    match index.load_metas() {
        Ok(metas) => metas.segments.is_empty() || mark(index).is_some_and(|mark| mark.version == VERSION),
        Err(_) => false,
    }
}

fn mark(index: &tantivy::Index) -> Option<Mark> {
    serde_json::from_str(&index.load_metas().ok()?.payload?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970() {
        assert_eq!(day(civil::date(1970, 1, 2)), 1);
        assert_eq!(day(civil::date(1842, 12, 7)), -46_411);
        assert_eq!(day(civil::date(1, 1, 1)), -719_162);
        assert!((day(civil::Date::MAX) + 719_163) * 1_440 < 1 << 33, "dates outgrow their bits");
    }
}
