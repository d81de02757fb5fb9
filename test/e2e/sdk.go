// sdk.go - Docker's own Go client (Debian's golang-github-docker-docker-dev) against the engine of DOCKER_HOST, which
// has an image "busybox". One line a check: "ok WORDS" or "not ok WORDS: why". t8220-go-client.sh builds and runs it.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/stdcopy"
)

var (
	ctx, _ = context.WithTimeout(context.Background(), 100*time.Second)
	c      *client.Client
	failed bool
)

func check(words string, f func() error) {
	if err := f(); err != nil {
		failed = true
		fmt.Printf("not ok %s: %v\n", words, err)
		return
	}
	fmt.Printf("ok %s\n", words)
}

func want(got, wanted interface{}) error {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		return fmt.Errorf("got %q, want %q", fmt.Sprint(got), fmt.Sprint(wanted))
	}
	return nil
}

func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

func archive(name, text string) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: name, Mode: 0644, Size: int64(len(text))})
	w.Write([]byte(text))
	w.Close()
	return &b
}

func create(name string, config *container.Config, host *container.HostConfig) (string, error) {
	config.Image = "busybox"
	made, err := c.ContainerCreate(ctx, config, host, nil, nil, name)
	return made.ID, err
}

func system() {
	check("ping says the version", func() error {
		p, err := c.Ping(ctx)
		if err == nil && p.APIVersion == "" {
			err = errors.New("none")
		}
		return err
	})
	check("server version and info", func() error {
		v, err := c.ServerVersion(ctx)
		i, err2 := c.Info(ctx)
		return first(err, err2, want(v.Os, "linux"), want(i.OSType, "linux"))
	})
	check("swarm calls are unavailable", func() error {
		_, err := c.SwarmInspect(ctx)
		return want(errdefs.IsUnavailable(err), true)
	})
	check("what is not there", func() error {
		_, err := c.ContainerInspect(ctx, "nobody")
		_, _, err2 := c.ImageInspectWithRaw(ctx, "nothing:1")
		_, err3 := c.NetworkInspect(ctx, "nowhere", types.NetworkInspectOptions{})
		_, err4 := c.VolumeInspect(ctx, "empty")
		return want(fmt.Sprint(client.IsErrNotFound(err), client.IsErrNotFound(err2), client.IsErrNotFound(err3),
			client.IsErrNotFound(err4)), "true true true true")
	})
	check("df", func() error {
		d, err := c.DiskUsage(ctx)
		return first(err, want(len(d.Images) > 0, true))
	})
}

func lives() {
	var id string
	check("create, and a name once", func() error {
		var err error
		id, err = create("one", &container.Config{Cmd: []string{"sh", "-c", "read x; echo out $x; echo err >&2; exit 3"},
			OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
			Labels: map[string]string{"a": "b"}}, nil)
		_, again := create("one", &container.Config{}, nil)
		return first(err, want(errdefs.IsConflict(again), true))
	})
	check("attach, start, wait: streams apart and the status", func() error {
		a, err := c.ContainerAttach(ctx, id, types.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
		if err != nil {
			return err
		}
		defer a.Close()
		done, bad := c.ContainerWait(ctx, id, container.WaitConditionNextExit)
		if err = c.ContainerStart(ctx, id, types.ContainerStartOptions{}); err != nil {
			return err
		}
		a.Conn.Write([]byte("word\n"))
		a.CloseWrite()
		var out, errs bytes.Buffer
		if _, err = stdcopy.StdCopy(&out, &errs, a.Reader); err != nil {
			return err
		}
		select {
		case e := <-bad:
			return e
		case r := <-done:
			return first(want(out.String(), "out word\n"), want(errs.String(), "err\n"), want(r.StatusCode, 3))
		}
	})
	check("logs with times", func() error {
		r, err := c.ContainerLogs(ctx, id, types.ContainerLogsOptions{ShowStdout: true, Timestamps: true, Tail: "all"})
		if err != nil {
			return err
		}
		defer r.Close()
		var out bytes.Buffer
		stdcopy.StdCopy(&out, io.Discard, r)
		words := strings.SplitN(out.String(), " ", 2)
		if len(words) != 2 {
			return errors.New(out.String())
		}
		_, err = time.Parse(time.RFC3339Nano, words[0])
		return first(err, want(words[1], "out word\n"))
	})
	check("list by filters", func() error {
		l, err := c.ContainerList(ctx, types.ContainerListOptions{All: true,
			Filters: filters.NewArgs(filters.Arg("label", "a=b"), filters.Arg("exited", "3"))})
		return first(err, want(len(l), 1), want(l[0].ID, id))
	})
	check("commit, diff, export", func() error {
		made, err := c.ContainerCommit(ctx, id, types.ContainerCommitOptions{Reference: "made:1", Changes: []string{"ENV A=1"}})
		i, _, err2 := c.ImageInspectWithRaw(ctx, "made:1")
		_, err3 := c.ContainerDiff(ctx, id)
		r, err4 := c.ContainerExport(ctx, id)
		if e := first(err, err2, err3, err4); e != nil {
			return e
		}
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		return first(err, want(n > 500000, true), want(i.ID, made.ID))
	})
	check("remove", func() error {
		return c.ContainerRemove(ctx, id, types.ContainerRemoveOptions{RemoveVolumes: true})
	})
}

func running() {
	id, err := create("two", &container.Config{Cmd: []string{"sleep", "1000"}},
		&container.HostConfig{Resources: container.Resources{Memory: 64 << 20}, Binds: []string{"data:/data"}})
	check("start", func() error { return first(err, c.ContainerStart(ctx, id, types.ContainerStartOptions{})) })
	check("exec: output, status, the missing program", func() error {
		x, err := c.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"sh", "-c", "echo $A; exit 4"},
			Env: []string{"A=env"}, AttachStdout: true, AttachStderr: true})
		if err != nil {
			return err
		}
		a, err := c.ContainerExecAttach(ctx, x.ID, types.ExecStartCheck{})
		if err != nil {
			return err
		}
		defer a.Close()
		var out bytes.Buffer
		stdcopy.StdCopy(&out, io.Discard, a.Reader)
		i, err := c.ContainerExecInspect(ctx, x.ID)
		return first(err, want(out.String(), "env\n"), want(i.ExitCode, 4), want(i.Running, false))
	})
	check("files in and out", func() error {
		if err := c.CopyToContainer(ctx, id, "/data", archive("f", "text"), types.CopyToContainerOptions{}); err != nil {
			return err
		}
		r, stat, err := c.CopyFromContainer(ctx, id, "/data/f")
		if err != nil {
			return err
		}
		defer r.Close()
		t := tar.NewReader(r)
		if _, err = t.Next(); err != nil {
			return err
		}
		b, err := io.ReadAll(t)
		return first(err, want(string(b), "text"), want(stat.Size, 4), want(stat.Name, "f"))
	})
	check("stats", func() error {
		s, err := c.ContainerStatsOneShot(ctx, id)
		if err != nil {
			return err
		}
		defer s.Body.Close()
		b, err := io.ReadAll(s.Body)
		return first(err, want(strings.Contains(string(b), `"limit":67108864`), true))
	})
	check("top, update, rename", func() error {
		t, err := c.ContainerTop(ctx, id, nil)
		_, err2 := c.ContainerUpdate(ctx, id, container.UpdateConfig{Resources: container.Resources{Memory: 32 << 20, MemorySwap: -1}})
		err3 := c.ContainerRename(ctx, id, "three")
		i, err4 := c.ContainerInspect(ctx, "three")
		if e := first(err, err2, err3, err4); e != nil {
			return e
		}
		return first(want(len(t.Processes), 1), want(i.HostConfig.Memory, 32<<20), want(i.Name, "/three"))
	})
	check("pause, unpause, restart, kill", func() error {
		err := c.ContainerPause(ctx, id)
		i, err2 := c.ContainerInspect(ctx, id)
		second := time.Second
		return first(err, err2, want(i.State.Status, "paused"), c.ContainerUnpause(ctx, id), c.ContainerRestart(ctx, id, &second),
			c.ContainerKill(ctx, id, "KILL"))
	})
	check("stop of a stopped one, and its removal by force", func() error {
		second := time.Second
		return first(c.ContainerStop(ctx, id, &second), c.ContainerRemove(ctx, id, types.ContainerRemoveOptions{Force: true}))
	})
}

func nouns() {
	check("events of a network's life", func() error {
		list, stop := context.WithCancel(ctx)
		defer stop()
		seen, bad := c.Events(list, types.EventsOptions{Filters: filters.NewArgs(filters.Arg("type", "network"))})
		time.Sleep(300 * time.Millisecond)
		n, err := c.NetworkCreate(ctx, "net", types.NetworkCreate{CheckDuplicate: true, Labels: map[string]string{"n": "1"},
			IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.91.0.0/24", Gateway: "10.91.0.1"}}}})
		if err != nil {
			return err
		}
		if err = c.NetworkRemove(ctx, n.ID); err != nil {
			return err
		}
		var actions []string
		for len(actions) < 2 {
			select {
			case m := <-seen:
				actions = append(actions, string(m.Action))
			case err = <-bad:
				return err
			}
		}
		var _ events.Message
		return want(actions, "[create destroy]")
	})
	check("networks: connect with an address, inspect, disconnect", func() error {
		n, err := c.NetworkCreate(ctx, "net", types.NetworkCreate{
			IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.92.0.0/24"}}}})
		if err != nil {
			return err
		}
		id, err := create("four", &container.Config{Cmd: []string{"sleep", "1000"}}, nil)
		err2 := c.NetworkConnect(ctx, n.ID, id, &network.EndpointSettings{Aliases: []string{"db"},
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.92.0.9"}})
		err3 := c.ContainerStart(ctx, id, types.ContainerStartOptions{})
		i, err4 := c.NetworkInspect(ctx, "net", types.NetworkInspectOptions{Verbose: true})
		if e := first(err, err2, err3, err4, want(i.Containers[id].IPv4Address, "10.92.0.9/24")); e != nil {
			return e
		}
		return first(c.NetworkDisconnect(ctx, "net", id, false), c.ContainerRemove(ctx, id, types.ContainerRemoveOptions{Force: true}),
			c.NetworkRemove(ctx, "net"))
	})
	check("volumes", func() error {
		v, err := c.VolumeCreate(ctx, volume.VolumeCreateBody{Name: "own", Labels: map[string]string{"v": "1"}})
		l, err2 := c.VolumeList(ctx, filters.NewArgs(filters.Arg("label", "v=1")))
		if e := first(err, err2, want(v.Driver, "local"), want(len(l.Volumes), 1)); e != nil {
			return e
		}
		return first(c.VolumeRemove(ctx, "own", false), c.VolumeRemove(ctx, "data", false))
	})
	check("build from a stream", func() error {
		b, err := c.ImageBuild(ctx, archive("Dockerfile", "FROM busybox\nRUN echo hi > /hi\nLABEL built=1\n"),
			types.ImageBuildOptions{Tags: []string{"built:1"}, Remove: true})
		if err != nil {
			return err
		}
		defer b.Body.Close()
		text, err := io.ReadAll(b.Body)
		i, _, err2 := c.ImageInspectWithRaw(ctx, "built:1")
		if e := first(err, err2); e != nil {
			return fmt.Errorf("%v: %s", e, text)
		}
		return want(i.Config.Labels["built"], "1")
	})
	check("tag, history, save, load, remove", func() error {
		err := c.ImageTag(ctx, "built:1", "built:2")
		h, err2 := c.ImageHistory(ctx, "built:2")
		r, err3 := c.ImageSave(ctx, []string{"built:2"})
		if e := first(err, err2, err3, want(len(h) > 2, true)); e != nil {
			return e
		}
		defer r.Close()
		l, err := c.ImageLoad(ctx, r, true)
		if err != nil {
			return err
		}
		l.Body.Close()
		for _, name := range []string{"built:1", "built:2", "made:1"} {
			if _, err = c.ImageRemove(ctx, name, types.ImageRemoveOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	check("prune", func() error {
		_, err := c.ContainersPrune(ctx, filters.NewArgs())
		_, err2 := c.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "true")))
		_, err3 := c.NetworksPrune(ctx, filters.NewArgs())
		_, err4 := c.VolumesPrune(ctx, filters.NewArgs())
		return first(err, err2, err3, err4)
	})
}

func main() {
	var err error
	if c, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		fmt.Println("not ok client:", err)
		os.Exit(1)
	}
	system()
	lives()
	running()
	nouns()
	if failed {
		os.Exit(1)
	}
}
