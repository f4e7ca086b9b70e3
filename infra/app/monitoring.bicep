// Logs and traces, and who looks at them. Ingestion takes tokens only; the app's role is in
// roles.bicep.
param logsName string
param insightsName string
param actionGroupName string
param location string
param tags object
param alertEmail string
param topicId string

@description('A runaway log costs at most this a day, in GB.')
param dailyQuotaGb int = 5

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: logsName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    features: {
      disableLocalAuth: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    DisableLocalAuth: true
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    actionGroupName: actionGroupName
    email: alertEmail
    location: location
    tags: tags
    insightsId: insights.id
    topicId: topicId
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: {
    name: guid(insights.id, 'calls')
    location: location
    tags: tags
    insightsId: insights.id
  }
}

output insightsName string = insights.name
output connectionString string = insights.properties.ConnectionString
