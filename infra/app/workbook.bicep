// The page to look at during a call that goes wrong: one chart for each query.
param name string
param location string
param tags object
param insightsId string

var charts = [
  {
    title: 'Answer latency (ms)'
    query: loadTextContent('../queries/answer-latency.kql')
    visualization: 'timechart'
  }
  {
    title: 'What the silence is made of (ms, 95th percentile)'
    query: loadTextContent('../queries/silence.kql')
    visualization: 'table'
  }
  {
    title: 'Turns by outcome'
    query: loadTextContent('../queries/turns.kql')
    visualization: 'timechart'
  }
  {
    title: 'Takeovers from dead instances'
    query: loadTextContent('../queries/takeovers.kql')
    visualization: 'timechart'
  }
  {
    title: 'How long calls that were left lay there (s)'
    query: loadTextContent('../queries/outbox-age.kql')
    visualization: 'timechart'
  }
  {
    title: 'Events: applied, duplicate, stale'
    query: loadTextContent('../queries/duplicate-events.kql')
    visualization: 'timechart'
  }
  {
    title: 'Failed callbacks'
    query: loadTextContent('../queries/failed-callbacks.kql')
    visualization: 'timechart'
  }
  {
    title: 'Refusals'
    query: loadTextContent('../queries/refusals.kql')
    visualization: 'timechart'
  }
  {
    title: 'Cost by item'
    query: loadTextContent('../queries/cost.kql')
    visualization: 'barchart'
  }
  {
    title: 'Calls'
    query: loadTextContent('../queries/calls.kql')
    visualization: 'table'
  }
]

var period = {
  type: 9
  name: 'period'
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        name: 'TimeRange'
        type: 4
        isRequired: true
        value: {
          durationMs: 14400000
        }
      }
    ]
  }
}

var items = [for chart in charts: {
  type: 3
  name: chart.title
  content: {
    version: 'KqlItem/1.0'
    title: chart.title
    query: chart.query
    queryType: 0
    resourceType: 'microsoft.insights/components'
    visualization: chart.visualization
    timeContextFromParameter: 'TimeRange'
    size: 0
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Voice agent: calls'
    category: 'workbook'
    sourceId: insightsId
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([
        period
      ], items)
    })
  }
}
