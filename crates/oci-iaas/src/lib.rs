//! Compute, network and block-volume API of Oracle Cloud Infrastructure: types and calls.
