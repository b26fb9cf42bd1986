//! What the committed samples promise.
