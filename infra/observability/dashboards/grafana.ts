import { DashboardBuilder, DatasourceVariableBuilder, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { dashboards } from './dashboards.ts';
import type { Dashboard, Panel } from './panels.ts';

/** Three panels in a row of Grafana's 24 columns. */
const panelSize = { width: 8, height: 7 };

/** The dashboards as JSON that Grafana imports, by path in this repository. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    dashboards.map((one) => [
      `infra/observability/dashboards/${one.uid.replace(/^taskwire-/, '')}.json`,
      `${JSON.stringify(grafana(one), null, 2)}\n`,
    ]),
  );
}

function grafana({ uid, title, rows }: Dashboard): object {
  // the format that every Grafana since 9 imports; the SDK prefers the one of Grafana 12
  // eslint-disable-next-line typescript/no-deprecated -- as above
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .tags(['taskwire'])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-3h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('prometheus').type('prometheus').label('Prometheus'));
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(timeSeries(panel));
  }
  return builder.build();
}

function timeSeries({ title, unit, queries }: Panel): PanelBuilder {
  const builder = new PanelBuilder()
    .title(title)
    .unit(unit)
    .min(0)
    .span(panelSize.width)
    .height(panelSize.height)
    .datasource({ type: 'prometheus', uid: '${prometheus}' });
  for (const [index, { legend, expr }] of queries.entries()) {
    const refId = 'ABC'.charAt(index);
    builder.withTarget(new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).range());
  }
  return builder;
}
