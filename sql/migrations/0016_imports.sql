-- Who says what a header of a file means: {header: "given" | "header" | "remembered" | null}.
ALTER TABLE rollcall.import ADD COLUMN mapping_from jsonb;

-- The workbook with the results holds what somebody who is deleted now was called: it is shown no more.
ALTER TABLE rollcall.import ADD COLUMN is_report_stale boolean NOT NULL DEFAULT false;
