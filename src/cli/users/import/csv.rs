//! CSV with a header (RFC 4180). Reads one record at a time and keeps no more than one, however long a line is.

use std::io::BufRead;

use anyhow::{Context, bail};
use csv_core::{ReadRecordResult, Reader};

use super::intake::{Intake, LINE_MAX, too_long};
use super::mapping::Columns;
use crate::auth::import::columns::Raw;

/// More columns than any table has.
const FIELDS_MAX: usize = 2000;

/// Returns the columns that mean nothing here.
pub async fn read(input: impl BufRead, intake: &mut Intake) -> anyhow::Result<Vec<String>> {
    let mut records = Records::new(input);
    let Some(header) = records.next()? else {
        bail!("there is no header: the first line names the columns");
    };
    let columns = header.fields.map_err(anyhow::Error::msg).and_then(|names| {
        let names: Vec<_> = names.iter().map(|name| name.trim().to_owned()).collect();
        intake.mapping.resolve(&names)
    });
    let columns = columns.with_context(|| format!("line {}, the header", header.line))?;
    while let Some(record) = records.next()? {
        let raw = record
            .fields
            .and_then(|fields| raw(&fields, &columns))
            .map_err(|why| match record.last_line > record.line {
                true => format!(
                    "{why}. It goes on to line {}: is a quote not closed?",
                    record.last_line
                ),
                false => why,
            });
        intake.take(record.line, raw).await?;
    }
    Ok(columns.unused)
}

fn raw(fields: &[String], columns: &Columns) -> Result<Raw, String> {
    if fields.len() != columns.ours.len() {
        let (here, header) = (fields.len(), columns.ours.len());
        return Err(format!("this has {here} fields, the header has {header}"));
    }
    let mut raw = Raw::default();
    for (text, column) in fields.iter().zip(&columns.ours) {
        if let Some(column) = column {
            raw.set(*column, text.clone());
        }
    }
    Ok(raw)
}

struct Record {
    line: u64,
    last_line: u64,
    fields: Result<Vec<String>, String>,
}

struct Records<R> {
    input: R,
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Where the input stands.
    line: u64,
}

impl<R: BufRead> Records<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            reader: Reader::new(),
            text: vec![0; LINE_MAX],
            ends: vec![0; FIELDS_MAX],
            line: 1,
        }
    }

    fn next(&mut self) -> std::io::Result<Option<Record>> {
        self.skip_line_ends()?;
        let line = self.line;
        let (mut written, mut ended, mut too_much) = (0, 0, false);
        loop {
            let input = self.input.fill_buf()?;
            let (text, ends) = (&mut self.text[written..], &mut self.ends[ended..]);
            let (result, read, wrote, fields) = self.reader.read_record(input, text, ends);
            let breaks = memchr::memchr_iter(b'\n', &input[..read]).count();
            let ends_line = read > 0 && input[read - 1] == b'\n';
            self.line += u64::try_from(breaks).unwrap_or_default();
            self.input.consume(read);
            written += wrote;
            ended += fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                // What does not fit is read and forgotten.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    (written, ended, too_much) = (0, 0, true);
                }
                ReadRecordResult::Record => {
                    let last_line = self.line - u64::from(ends_line);
                    let fields = match too_much {
                        true => Err(too_long()),
                        false => self.fields(ended),
                    };
                    return Ok(Some(Record {
                        line,
                        last_line,
                        fields,
                    }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// The parser skips empty lines too, but does not say how many.
    fn skip_line_ends(&mut self) -> std::io::Result<()> {
        loop {
            let input = self.input.fill_buf()?;
            let skipped = input.iter().take_while(|byte| b"\r\n".contains(byte));
            let (mut count, mut breaks) = (0, 0);
            for byte in skipped {
                count += 1;
                breaks += u64::from(*byte == b'\n');
            }
            self.line += breaks;
            self.input.consume(count);
            if count == 0 {
                return Ok(());
            }
        }
    }

    fn fields(&self, count: usize) -> Result<Vec<String>, String> {
        let mut begin = 0;
        let field = |end: &usize| {
            let text = std::str::from_utf8(&self.text[begin..*end]);
            begin = *end;
            text.map(ToOwned::to_owned)
                .map_err(|_| "this is not UTF-8".to_owned())
        };
        self.ends[..count].iter().map(field).collect()
    }
}
