//! Decisions on given statements.
