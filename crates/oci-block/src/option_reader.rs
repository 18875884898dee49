//! Options by their names: what they may say, and which ones there are.

use std::time::Duration;

use flexvolume::Options;

use crate::option_error::OptionError;

/// Reads options, and knows afterwards which ones no reader has asked for.
#[derive(Debug)]
pub(crate) struct OptionReader<'a> {
    options: &'a Options,
    known: Vec<&'static str>,
}

impl<'a> OptionReader<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, known: Vec::new() }
    }

    /// The option is read elsewhere.
    pub(crate) fn knows(&mut self, option: &'static str) {
        self.known.push(option);
    }

    /// The value without blanks around it; one that is empty is none.
    pub(crate) fn text(&mut self, option: &'static str) -> Option<&'a str> {
        self.knows(option);
        self.options.get(option).map(str::trim).filter(|it| !it.is_empty())
    }

    /// `true` or `false`, which is also the default.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn flag(&mut self, option: &'static str) -> Result<bool, OptionError> {
        self.choice(option, [("false", false), ("true", true)])
    }

    /// A whole number of seconds, an hour at most.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn seconds(
        &mut self,
        option: &'static str,
        default: u64,
    ) -> Result<Duration, OptionError> {
        let Some(given) = self.text(option) else { return Ok(Duration::from_secs(default)) };
        let seconds = given.parse().ok().filter(|it| *it <= 3600);
        seconds.map(Duration::from_secs).ok_or_else(|| OptionError::Value {
            option,
            given: given.to_owned(),
            choices: format!("a number of seconds from 0 to 3600 ({default} is the default)"),
        })
    }

    /// One of several words, in any case. The first is the default.
    ///
    /// # Errors
    /// It is none of them.
    pub(crate) fn choice<T, const N: usize>(
        &mut self,
        option: &'static str,
        choices: [(&'static str, T); N],
    ) -> Result<T, OptionError> {
        let given = self.text(option);
        let words = choices.each_ref().map(|(word, _)| *word);
        let meant = |word: &str| given.is_none_or(|given| given.eq_ignore_ascii_case(word));
        let chosen = choices.into_iter().find(|(word, _)| meant(word));
        chosen.map(|(_, value)| value).ok_or_else(|| OptionError::Value {
            option,
            given: given.unwrap_or_default().to_owned(),
            choices: words.join(" or ").replacen(" or ", " (the default) or ", 1),
        })
    }

    /// A misspelt option would else be found out too late: `formatt: never` formats.
    ///
    /// # Errors
    /// The author has given an option that was not asked for.
    pub(crate) fn refuse_unknown(&self) -> Result<(), OptionError> {
        let unknown = self.options.author_names().find(|name| !self.known.contains(name));
        unknown.map_or(Ok(()), |name| {
            Err(OptionError::Unknown { name: name.to_owned(), hint: self.hint(name) })
        })
    }

    fn hint(&self, name: &str) -> String {
        let letters = |name: &str| name.replace(['-', '_', ' '], "").to_ascii_lowercase();
        if let Some(field) = FIELDS.iter().find(|field| letters(field) == letters(name)) {
            return format!("{field} is a field beside options, not one of them");
        }
        let distance = |known: &&str| strsim::osa_distance(&letters(known), &letters(name));
        let nearest = self.known.iter().copied().min_by_key(distance);
        match nearest.filter(|known| distance(known) <= known.len().div_ceil(4)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("it knows {}", self.known.join(", ")),
        }
    }
}

// What a flexVolume has beside its options.
const FIELDS: [&str; 4] = ["driver", "fsType", "readOnly", "secretRef"];
