using System.Text.Json;
using Rcmp.Cluster.Messages;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Commands;
using Rcmp.Protocol;

namespace Rcmp.Tests.Hosts;

public sealed class StatusTests
{
    private static readonly RackReport Rack = RackReport.Silent(new RosterEntry(new RackId(3), Guid.Empty, new Generation(1), "akka.tcp://rcmp@127.0.0.1:4200", false)) with
    {
        Sessions = ValueList<SessionReport>.Of(new SessionReport(default, "young", 12, 1_500_000, false), new SessionReport(default, "old\u001b[2J", 11, 2_000_000_000, true)),
    };

    [Fact]
    public void EverySessionHasALineThatTellsWhoHasIt() => Assert.Equal(
        ["rack 3: session of old?[2J, process 11, for 2.00 s", "rack 3: session of young, process 12, for 1.5 ms, not in use yet"], StatusRows.SessionsOf(Rack).ToArray());

    [Fact]
    public void TheObjectHasTheNumberOfSessionsAndTheirList()
    {
        using var text = new StringWriter();
        JsonOutput.Write(text, StatusRack.Of(Rack));
        using var json = JsonDocument.Parse(text.ToString());
        Assert.Equal(2, json.RootElement.GetProperty("sessions").GetInt32());
        var oldest = json.RootElement.GetProperty("sessionList")[0];
        Assert.Equal(11, oldest.GetProperty("process").GetInt32());
        Assert.Equal(2_000_000_000, oldest.GetProperty("ageNs").GetInt64());
        Assert.Equal("old\u001b[2J", oldest.GetProperty("client").GetString());
    }
}
