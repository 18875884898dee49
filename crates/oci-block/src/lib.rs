//! The backend for block volumes of Oracle Cloud Infrastructure.
