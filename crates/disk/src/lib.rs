//! A block device: identity, exclusive claim, and the proof that it is blank.
