//! Recognises the template by the header, or says what is different.
