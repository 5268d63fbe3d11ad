using Akka.Actor;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Rcmp.Tests.Samples;

/// <summary>An actor that keeps its words in the pool, in an actor system of the application's own: <c>WithRcmpClient</c>.</summary>
internal static class AkkaSample
{
    /// <param name="rack">Host and port of the rack daemon on this machine, as in <c>rcmp.client.rack</c>.</param>
    /// <returns>What the actor answered.</returns>
    public static async Task<string> RunAsync(string rack)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddAkka("app", akka => akka
            .WithRemoting("127.0.0.1", 0)
            .WithRcmpClient(options => options.Rack = rack));
        using var host = builder.Build();
        await host.StartAsync();
        var system = host.Services.GetRequiredService<ActorSystem>();
        var keeper = system.ActorOf(Props.Create(() => new Keeper(system.GetRcmpPool())));
        var answer = await keeper.Ask<string>("pooled", TimeSpan.FromSeconds(30));
        await host.StopAsync();
        return answer;
    }

    private sealed class Keeper : ReceiveActor
    {
        public Keeper(IMemoryPool pool)
        {
            ReceiveAsync<string>(async text =>
            {
                // An actor must not block: the asynchronous forms complete at once on a rack hit.
                var address = await pool.AllocateAsync(text.Length);
                await pool.WriteAsync(address, System.Text.Encoding.ASCII.GetBytes(text));
                var back = new byte[text.Length];
                await pool.ReadAsync(address, back);
                await pool.FreeAsync(address);
                Sender.Tell(System.Text.Encoding.ASCII.GetString(back));
            });
        }
    }
}
