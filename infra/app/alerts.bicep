// What somebody should be woken for. Each rule's query is also a chart of the workbook;
// docs/operations.md says what to do.
param actionGroupName string

@description('Empty: alerts only show in the portal.')
param email string

param location string
param tags object
param insightsId string
param topicId string

var rules = [
  {
    name: 'answer-latency'
    description: 'One answer in twenty takes longer than three seconds.'
    query: loadTextContent('../queries/answer-latency.kql')
    column: 'p95_ms'
    aggregation: 'Maximum'
    threshold: 3000
    severity: 2
  }
  {
    name: 'failed-callbacks'
    description: 'ACS tells us of calls and we fail; callers hear silence.'
    query: loadTextContent('../queries/failed-callbacks.kql')
    column: 'failed'
    aggregation: 'Total'
    threshold: 5
    severity: 1
  }
  {
    name: 'outbox-age'
    description: 'Nobody looks after calls that were left: the sweeper is late or cannot reach Redis.'
    query: loadTextContent('../queries/outbox-age.kql')
    column: 'oldest_s'
    aggregation: 'Maximum'
    threshold: 30
    severity: 1
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'voiceagent'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource queries 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.name
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [
      insightsId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    // The tables come into being with the first telemetry, after this deployment.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.column
          timeAggregation: rule.aggregation
          operator: 'GreaterThan'
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: {
      actionGroups: empty(email) ? [] : [
        group.id
      ]
    }
  }
}]

// A dead letter of IncomingCall is a caller who was never answered.
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid gave up on an event: a call nobody answered, or a recording nobody fetched.'
    severity: 1
    enabled: true
    scopes: [
      topicId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'dead-lettered'
          criterionType: 'StaticThresholdCriterion'
          metricName: 'DeadLetteredCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    autoMitigate: true
    actions: empty(email) ? [] : [
      {
        actionGroupId: group.id
      }
    ]
  }
}
