//! File formats: bytes to typed records and findings, and back. Pure; the browser runs the same code as the server.
