//! Lists: page after page to the end, and again if they may have changed between their pages.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use oci_iaas::ListOperation;

use crate::{
    Client, Error,
    client::{Answer, text},
};

impl Client {
    /// Reads a list to its end, page by page.
    ///
    /// Whatever ends or begins between two pages may move an element from one to the other, unseen. So
    /// a list of several pages is read until two readings show the same elements. An answer
    /// that holds more than was asked for is reduced to it.
    ///
    /// # Errors
    /// See [`Error`]. A page that cannot be read is an error: part of a list is never returned. So is a
    /// list that is too long, that is another one at each reading, or of which nothing is what was asked for.
    pub fn list<O: ListOperation>(&self, operation: &O) -> Result<Vec<O::Item>, Error> {
        let reading =
            Reading { client: self, operation, name: self.name::<O>(operation.subject()) };
        let mut items = match reading.read()? {
            Pages { items, several: false } => return reading.select(items),
            Pages { items, .. } => items,
        };
        for _ in 1..READINGS {
            let again = reading.read()?;
            if !again.several || reading.keys(&again.items) == reading.keys(&items) {
                return reading.select(again.items);
            }
            log::info!("{}: the list changed while it was read", reading.name);
            items = again.items;
        }
        Err(Error::ListChanges { operation: reading.name, endpoint: self.endpoint() })
    }
}

/// One list.
struct Reading<'a, O> {
    client: &'a Client,
    operation: &'a O,
    name: String,
}

/// What one reading has shown.
struct Pages<T> {
    items: Vec<T>,
    several: bool,
}

impl<O: ListOperation> Reading<'_, O> {
    fn read(&self) -> Result<Pages<O::Item>, Error> {
        let (mut items, mut seen, mut page) = (Vec::new(), HashSet::new(), None::<String>);
        let mut bytes = 0;
        loop {
            self.pause(seen.len());
            let call = self.operation.call(page.as_deref());
            let answer: Answer<Vec<O::Item>> = self.client.exchange(&self.name, &call)?;
            items.extend(answer.value);
            bytes += answer.bytes;
            page = text(&answer.headers, "opc-next-page");
            let Some(next) = &page else {
                return Ok(match seen.is_empty() {
                    true => Pages { items, several: false },
                    false => Pages { items: self.once_each(items), several: true },
                });
            };
            if !seen.insert(next.clone()) {
                let (operation, endpoint) = (self.name.clone(), self.client.endpoint());
                return Err(Error::EndlessList { operation, endpoint });
            }
            if seen.len() >= MOST_PAGES || items.len() > MOST_ITEMS || bytes > MOST_BYTES {
                let (operation, endpoint) = (self.name.clone(), self.client.endpoint());
                return Err(Error::LongList { operation, endpoint });
            }
        }
    }

    /// Many pages are asked for slowly, so that requests of other clients are not refused because of them.
    fn pause(&self, pages: usize) {
        if pages >= PAGES_AT_ONCE {
            self.client.clock.sleep(PAUSE.min(self.client.deadline.remaining(&*self.client.clock)));
        }
    }

    /// What was on two pages, as the later one shows it.
    fn once_each(&self, mut items: Vec<O::Item>) -> Vec<O::Item> {
        let mut seen = HashSet::new();
        items.reverse();
        items.retain(|item| seen.insert(self.operation.key(item).to_owned()));
        items.reverse();
        items
    }

    fn keys<'b>(&'b self, items: &'b [O::Item]) -> BTreeSet<&'b str> {
        items.iter().map(|item| self.operation.key(item)).collect()
    }

    /// A service that does not know a filter shows everything; one that shows nothing of what was asked
    /// for has answered something else, and says nothing of what is not there.
    fn select(&self, items: Vec<O::Item>) -> Result<Vec<O::Item>, Error> {
        let (mut asked, mut others, mut first) = (Vec::new(), 0, None);
        for item in items {
            match self.operation.check(&item) {
                Ok(()) => asked.push(item),
                Err(mismatch) => {
                    others += 1;
                    first.get_or_insert(mismatch);
                }
            }
        }
        match first {
            Some(mismatch) if asked.is_empty() => {
                Err(self.client.mismatch(self.name.clone(), mismatch, None))
            }
            Some(mismatch) => {
                log::warn!("{}: {others} others are listed too: {mismatch}", self.name);
                Ok(asked)
            }
            None => Ok(asked),
        }
    }
}

const READINGS: usize = 4;
const PAGES_AT_ONCE: usize = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// With the bounds below, what [`Error::LongList`] says.
pub(crate) const MOST_PAGES: usize = 500;
pub(crate) const MOST_ITEMS: usize = 20_000;
pub(crate) const MOST_BYTES: usize = 32 << 20;
