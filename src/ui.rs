//! Pages and the design kit they are made of.
