// Reporter for Node's test runner: one JSON object per case and line, as conformance_report.py does.
// A case is named by its file, the groups it stands in, and its own name, joined by " > ".

import path from 'node:path';

export default async function* report(source) {
  const names = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      names.length = data.nesting;
      names[data.nesting] = data.name;
    } else if (type === 'test:pass' || type === 'test:fail') {
      const group = data.details?.type === 'suite';
      const file = data.file ? path.relative(process.cwd(), data.file) : '';
      // Each file is a case of its own to the runner; only its failing to load is of interest.
      const whole = data.nesting === 0 && path.resolve(data.name) === data.file;
      if ((group || whole) && type === 'test:pass') continue;
      const error = data.details?.error;
      // A group or file fails with its cases, which are told by themselves.
      if ((group || whole) && error?.failureType === 'subtestsFailed') continue;
      names.length = data.nesting;
      names[data.nesting] = whole ? '(file)' : data.name;
      const skipped = type === 'test:pass' && (data.skip !== undefined || data.todo !== undefined);
      const outcome = type === 'test:fail' ? 'failed' : skipped ? 'skipped' : 'passed';
      const message = error ? String(error.cause?.stack ?? error.cause ?? error.message) : '';
      yield `${JSON.stringify({ case: [file, ...names].join(' > '), outcome, message })}\n`;
    }
  }
}
