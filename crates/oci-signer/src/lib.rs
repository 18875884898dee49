//! Request signatures of Oracle Cloud Infrastructure.
