using Rcmp.Cluster.Messages;

namespace Rcmp.Tests.Cluster;

public sealed class ClusterStandingTests
{
    private static readonly ClusterStanding[] FromTheOneThatYieldsToTheOneThatStays =
    [
        new("a", false, 1, "akka.tcp://rcmp@10.0.0.2:1"),
        new("a", false, 5, "akka.tcp://rcmp@10.0.0.1:1"),
        new("a", true, 1, "akka.tcp://rcmp@10.0.0.9:1"),
        new("a", true, 2, "akka.tcp://rcmp@10.0.0.9:1"),
        new("a", true, 2, "akka.tcp://rcmp@10.0.0.1:1"),
    ];

    [Fact]
    public void OfTwoClustersBothAgreeWhichOneStays()
    {
        var order = FromTheOneThatYieldsToTheOneThatStays;
        for (var i = 0; i < order.Length; i++)
        {
            for (var j = 0; j < order.Length; j++)
            {
                Assert.Equal(i.CompareTo(j), Math.Sign(order[i].CompareTo(order[j])));
                Assert.Equal(-Math.Sign(order[j].CompareTo(order[i])), Math.Sign(order[i].CompareTo(order[j])));
            }
        }

        // Whom one asked says nothing.
        Assert.Equal(0, order[0].CompareTo(order[0] with { AskedNode = "b" }));
    }
}
