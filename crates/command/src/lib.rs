//! Running a host program, within a time limit.
