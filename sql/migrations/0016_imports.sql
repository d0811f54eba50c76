-- Who says what a header of a file means: {header: "given" | "header" | "remembered" | null}.
ALTER TABLE rollcall.import ADD COLUMN mapping_from jsonb;
